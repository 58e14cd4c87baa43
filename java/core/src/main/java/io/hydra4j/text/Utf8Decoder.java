package io.hydra4j.text;

/**
 * UTF-8, one byte at a time. What is not UTF-8 is found at the earliest byte at which it can be known, so that each
 * longest possible beginning of a character counts as one broken piece, as Unicode recommends and Rust's lossy decoding
 * does (Java's own decoder takes an encoded surrogate for one piece, not three). Not thread-safe.
 */
final class Utf8Decoder {
    /** The byte was taken; its character is not complete. */
    static final int PENDING = -1;
    /** The byte was taken and cannot be part of any character. */
    static final int BROKEN_BYTE = -2;
    /** The bytes before it are a beginning without an end; the byte itself was not taken and must be given again. */
    static final int BROKEN_BEFORE = -3;

    private int codePoint;
    private int missing;
    private int least;
    private int most;

    /**
     * @param value a byte, 0 to 255
     * @return the character's code point when it is complete, or one of the constants above
     */
    int accept(int value) {
        if (missing == 0) {
            return first(value);
        }
        if (value < least || value > most) {
            missing = 0;
            return BROKEN_BEFORE;
        }
        least = 0x80;
        most = 0xBF;
        codePoint = codePoint << 6 | value & 0x3F;
        missing--;
        return missing == 0 ? codePoint : PENDING;
    }

    /** @return whether a character has begun and not ended; forgets it */
    boolean finish() {
        boolean cut = missing > 0;
        missing = 0;
        return cut;
    }

    private int first(int value) {
        if (value < 0x80) {
            return value;
        }
        if (value < 0xC2 || value > 0xF4) {
            return BROKEN_BYTE;
        }
        // The second byte decides over-long forms, surrogates and code points above U+10FFFF.
        least = value == 0xE0 ? 0xA0 : value == 0xF0 ? 0x90 : 0x80;
        most = value == 0xED ? 0x9F : value == 0xF4 ? 0x8F : 0xBF;
        missing = value < 0xE0 ? 1 : value < 0xF0 ? 2 : 3;
        codePoint = value & (0x3F >> missing);
        return PENDING;
    }
}
