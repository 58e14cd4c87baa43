package io.hydra4j.text;

import java.util.Map;

/**
 * How a text is cut into words, checked.
 *
 * @param component the part of a {@code tokenizer.json} for the native library, of known parts and keys only; null for
 *     none
 * @param startMark a code point that is put before the very start of a text unless it stands there already, or a space
 *     does; -1 for none
 * @param longestText UTF-16 units that may be cut at once, whatever the text is
 */
record PreTokenizer(Map<String, Object> component, int startMark, int longestText) {
    /** UTF-16 units; far above the longest contexts, far below what the native library's offsets can hold. */
    static final int LONGEST_TEXT = 1 << 22;

    static final PreTokenizer NONE = new PreTokenizer(null, -1, LONGEST_TEXT);

    /** @return a text as the native library is to cut it */
    String start(String text) {
        int first = text.codePointAt(0);
        return startMark < 0 || first == startMark || first == ' ' ? text : Character.toString(startMark) + text;
    }
}
