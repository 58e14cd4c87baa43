package io.hydra4j.decode;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.hydra4j.golden.Logits;
import java.util.Arrays;

/**
 * Plain decoding after a prompt.
 *
 * @param tokens the continuation
 * @param logits {@code [0]} after the prompt, {@code [i + 1]} after token i
 */
record PlainDecoding(int[] prompt, int[] tokens, float[][] logits) {
    static PlainDecoding of(Session session, int[] prompt, int count) {
        session.setTree(Tree.ROOT);
        session.rewind(0);
        float[][] logits = new float[count + 1][];
        logits[0] = Logits.prefill(session, prompt)[prompt.length - 1];
        int[] tokens = new int[count];
        for (int i = 0; i < count; i++) {
            tokens[i] = session.step().tokens()[0];
            logits[i + 1] = session.logits(0);
        }
        return new PlainDecoding(prompt, tokens, logits);
    }

    void assertSame(Session session, Tree tree) {
        session.setTree(tree);
        // What the session did before ends after this prompt, or is another prompt altogether.
        boolean same = session.length() >= prompt.length
                && Arrays.equals(prompt, Arrays.copyOf(session.tokens(), prompt.length));
        int kept = same ? prompt.length - 1 : 0;
        session.rewind(kept);
        float[][] rows = Logits.prefill(session, Arrays.copyOfRange(prompt, kept, prompt.length));
        assertBits(logits[0], rows[rows.length - 1], tree, -1);
        int length = 0;
        while (length < tokens.length) {
            Step step = session.step();
            for (int i = 0; i < step.tokens().length && length < tokens.length; i++) {
                assertEquals(tokens[length], step.tokens()[i], tree + ", token " + length);
                assertBits(logits[length + 1], session.logits(step.path()[i]), tree, length);
                length++;
            }
        }
    }

    private static void assertBits(float[] expected, float[] found, Tree tree, int token) {
        assertEquals(expected.length, found.length);
        for (int i = 0; i < expected.length; i++) {
            if (Float.floatToRawIntBits(expected[i]) != Float.floatToRawIntBits(found[i])) {
                throw new AssertionError(
                        tree + ", logit " + i + " after token " + token + ": " + found[i] + " for " + expected[i]);
            }
        }
    }
}
