package io.hydra4j.golden;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.decode.Session;
import io.hydra4j.decode.Tree;
import java.util.Arrays;
import java.util.List;

/** Compares what a tiny model of a family computes with what transformers does: logits, loss and greedy tokens. */
final class FamilyPrompts {
    /** Of logits, their means and gaps between them, where all is computed in float32. */
    static final double FLOATS = 1e-3;
    /** The same where keys and values are kept as halves. */
    static final double HALVES = 1e-2;

    private FamilyPrompts() {}

    /**
     * @param prompts have {@code prompt_ids}
     * @param expected what is computed for them, in the same order
     * @param tokens the most to generate for each
     * @param tolerance {@link #FLOATS} or {@link #HALVES}
     */
    static void check(Loaded loaded, List<Json> prompts, List<Json> expected, int tokens, double tolerance) {
        assertFalse(prompts.isEmpty());
        try (Session session = loaded.session(Tree.ROOT)) {
            for (int i = 0; i < prompts.size(); i++) {
                int[] ids = prompts.get(i).get("prompt_ids").ints();
                session.rewind(0);
                float[][] rows = Logits.prefill(session, ids);
                checkLogits(rows, expected.get(i), tolerance);
                if (ids.length > 1) {
                    assertEquals(
                            expected.get(i).get("prompt_mean_logprob").number(),
                            Logits.meanLogProbability(rows, ids),
                            tolerance);
                }
                checkGreedy(session, expected.get(i), tokens, tolerance);
            }
        }
    }

    private static void checkLogits(float[][] rows, Json expected, double tolerance) {
        for (Json at : expected.get("logits").list()) {
            float[] row = rows[at.get("position").integer()];
            String what = "position " + at.get("position").integer();
            Logits.assertClose(
                    at.get("top20_ids").ints(), at.get("top20_logits").numbers(), row, tolerance, what);
            Logits.assertClose(
                    at.get("fixed_ids").ints(), at.get("fixed_logits").numbers(), row, tolerance, what);
        }
    }

    private static void checkGreedy(Session session, Json expected, int tokens, double tolerance) {
        int[] ids = expected.get("greedy_ids").ints();
        double[] gaps = expected.get("top2_gap").numbers();
        for (int i = 0; i < Math.min(ids.length, tokens); i++) {
            int token = session.step().tokens()[0];
            if (token != ids[i]) {
                assertTrue(gaps[i] < tolerance, "token " + i + " is " + token + ", golden " + Arrays.toString(ids));
                return;
            }
        }
    }
}
