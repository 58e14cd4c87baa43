package io.hydra4j.train;

import java.util.Arrays;

/**
 * A document, or a part of one, as tokens. The arrays are not copied: do not change them.
 *
 * @param tokens token ids
 * @param targets {@code [tokens]}: whether the loss counts a token where a head has to guess it
 */
record TokenText(int[] tokens, boolean[] targets) {
    /** A text of which the loss counts all from this token on. */
    static TokenText from(int[] tokens, int first) {
        boolean[] targets = new boolean[tokens.length];
        Arrays.fill(targets, Math.min(first, tokens.length), tokens.length, true);
        return new TokenText(tokens, targets);
    }

    /** Positions at which a head guesses a token that counts. */
    int rows(int head) {
        int rows = 0;
        for (int label = head + 2; label < tokens.length; label++) {
            rows += targets[label] ? 1 : 0;
        }
        return rows;
    }

    /**
     * A part.
     *
     * @param added tokens that begin it, which do not count
     */
    TokenText part(int from, int to, int[] added) {
        int[] part = Arrays.copyOf(added, added.length + to - from);
        boolean[] counted = new boolean[part.length];
        System.arraycopy(tokens, from, part, added.length, to - from);
        System.arraycopy(targets, from, counted, added.length, to - from);
        return new TokenText(part, counted);
    }
}
