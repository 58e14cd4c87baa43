package io.hydra4j.decode;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.golden.Loaded;
import io.hydra4j.golden.TestData;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/** Checks the promise that speculative output is that of plain decoding, and every used logit row with it, to the bit. */
final class BitIdentity {
    private BitIdentity() {}

    /** The first nodes of the published tree. */
    static Tree tree(int nodes) {
        return Tree.of(Tree.published().subList(0, nodes - 1));
    }

    /** Over 100 beginnings of Java files as the ids of the tiny model. */
    static List<int[]> bytePrompts() {
        List<int[]> prompts = new ArrayList<>();
        for (String text : TestData.heldOutPrompts()) {
            byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
            prompts.add(
                    IntStream.range(0, bytes.length).map(i -> bytes[i] & 0xFF).toArray());
        }
        return prompts;
    }

    /**
     * @param alone decodes plainly
     * @param drafting the same model with heads
     * @param tokens how many to generate for each prompt
     * @param sizes nodes of the trees
     */
    static void assertSpeculationEqualsPlain(
            Loaded alone, Loaded drafting, List<int[]> prompts, int tokens, int[] sizes) {
        long emitted = 0;
        long steps = 0;
        try (Session plain = alone.session(Tree.ROOT);
                Session session = drafting.session(Tree.ROOT)) {
            for (int[] prompt : prompts) {
                PlainDecoding expected = PlainDecoding.of(plain, prompt, tokens);
                for (int size : sizes) {
                    session.resetStatistics();
                    expected.assertSame(session, tree(size));
                    emitted += size == 1 ? 0 : session.statistics().tokens();
                    steps += size == 1 ? 0 : session.statistics().steps();
                }
            }
        }
        assertTrue(emitted > 1.2 * steps, "guesses must be accepted for this test to mean anything");
    }

    /** A session for each tree size; they continue prompts of their own, one step each in turn. */
    static void assertTurnsDoNotDisturb(Loaded loaded, List<int[]> prompts, int tokens, int[] sizes) {
        int count = sizes.length;
        List<PlainDecoding> expected = new ArrayList<>();
        List<Session> sessions = new ArrayList<>();
        int[] done = new int[count];
        try (Session plain = loaded.session(Tree.ROOT)) {
            for (int i = 0; i < count; i++) {
                expected.add(PlainDecoding.of(plain, prompts.get(i), tokens));
                sessions.add(loaded.session(tree(sizes[i])));
                sessions.get(i).prefill(prompts.get(i));
            }
            while (Arrays.stream(done).anyMatch(length -> length < tokens)) {
                for (int i = 0; i < count; i++) {
                    Step step = sessions.get(i).step();
                    for (int k = 0; k < step.tokens().length && done[i] < tokens; k++) {
                        assertEquals(expected.get(i).tokens()[done[i]], step.tokens()[k]);
                        assertArrayEquals(
                                expected.get(i).logits()[done[i] + 1],
                                sessions.get(i).logits(step.path()[k]));
                        done[i]++;
                    }
                }
            }
        } finally {
            sessions.forEach(Session::close);
        }
    }
}
