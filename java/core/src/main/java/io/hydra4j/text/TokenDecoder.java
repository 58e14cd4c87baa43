package io.hydra4j.text;

/**
 * Turns tokens into text, one at a time, appending only text that no later token can change. Made for one sequence of
 * tokens. Not thread-safe.
 */
interface TokenDecoder {
    char REPLACEMENT = '\uFFFD';

    /** Takes a token that exists and is not skipped. */
    void accept(int id, StringBuilder out);

    /** Whether the next token may read differently because it is among the first. */
    boolean isAtStart();

    /**
     * Whether what comes after a token, where that is not among the first, does not depend on what was before it.
     *
     * @param id a token that exists and is not skipped
     */
    boolean isBoundary(int id);

    /** Appends what was still held back. */
    void finish(StringBuilder out);
}
