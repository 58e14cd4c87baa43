package io.hydra4j.golden;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.decode.Session;
import io.hydra4j.decode.Step;

/** Follows a golden greedy continuation. */
final class Continuation {
    /** Below this distance of the two best logits a float32 run that adds in another order may choose the other. */
    private static final double NEAR_TIE = 1e-3;

    private Continuation() {}

    /**
     * Generates after a prefilled prompt and compares tokens and tokens per step with the golden ones, up to the first
     * near tie at which they part.
     *
     * @param expected has {@code greedy_ids} and {@code top2_gap}
     * @param perStep golden tokens per step, the last of which is cut where the continuation ends
     * @return tokens that were compared
     */
    static int assertFollows(Session session, Json expected, int[] perStep) {
        int[] ids = expected.get("greedy_ids").ints();
        double[] gaps = expected.get("top2_gap").numbers();
        int compared = 0;
        for (int i = 0; compared < ids.length; i++) {
            Step step = session.step();
            for (int token : step.tokens()) {
                if (compared == ids.length) {
                    break;
                }
                if (token != ids[compared]) {
                    assertTrue(
                            gaps[compared] < NEAR_TIE,
                            "token " + compared + " is " + token + " for " + ids[compared] + " at a gap of "
                                    + gaps[compared]);
                    return compared;
                }
                compared++;
            }
            if (perStep != null && i < perStep.length - 1) {
                assertEquals(perStep[i], step.tokens().length, "tokens of step " + i);
            }
        }
        return compared;
    }
}
