package io.hydra4j.text;

import java.util.List;

/**
 * How tokens become text again.
 *
 * @param byteLevel tokens are spelled in the byte-level alphabet; the other fields then mean nothing
 * @param replacements what is replaced in every token, in this order
 * @param byteFallback tokens {@code <0x00>} to {@code <0xFF>} are bytes
 * @param stripStart how many {@code stripped} characters are taken off the start of the whole text, at most
 * @param stripped a code point
 * @param droppedInFirst a code point that the first token loses before anything is replaced, or -1
 */
record DecoderSpec(
        boolean byteLevel,
        List<Replacement> replacements,
        boolean byteFallback,
        int stripStart,
        int stripped,
        int droppedInFirst) {

    /** Every {@code pattern}, a literal text that is not empty, becomes {@code content}. */
    record Replacement(String pattern, String content) {}

    static DecoderSpec ofByteLevel() {
        return new DecoderSpec(true, List.of(), false, 0, -1, -1);
    }
}
