package io.hydra4j.text;

/**
 * Turns tokens into text, one at a time, appending only text that no later token can change. Made for one sequence of
 * tokens. Not thread-safe.
 */
interface TokenDecoder {
    char REPLACEMENT = '\uFFFD';

    /** Takes a token that exists and is not skipped. */
    void accept(int id, StringBuilder out);

    /** Appends what was still held back. */
    void finish(StringBuilder out);
}
