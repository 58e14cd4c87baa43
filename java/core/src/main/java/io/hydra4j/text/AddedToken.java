package io.hydra4j.text;

/**
 * A token that is found in the text before anything else is done to it.
 *
 * @param id its id
 * @param content its text, never empty
 * @param singleWord only where it stands as a word of its own
 * @param lstrip swallows the white space before it
 * @param rstrip swallows the white space after it
 * @param normalized matched against the normalised text
 * @param special left out when special tokens are skipped in decoding
 */
record AddedToken(
        int id,
        String content,
        boolean singleWord,
        boolean lstrip,
        boolean rstrip,
        boolean normalized,
        boolean special) {

    /** A token that is matched literally, as the tables of a GGUF file mean it. */
    static AddedToken literal(int id, String content, boolean special) {
        return new AddedToken(id, content, false, false, false, false, special);
    }
}
