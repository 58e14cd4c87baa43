package io.hydra4j.golden;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.hydra4j.decode.Session;

/** What tests do with logits. */
public final class Logits {
    private Logits() {}

    /** Prefills and gives the logits of every position of the prompt, {@code [ids][vocabulary]}. */
    public static float[][] prefill(Session session, int[] ids) {
        float[][] rows = new float[ids.length][];
        session.prefill(ids, (first, count) -> {
            for (int i = 0; i < count; i++) {
                rows[first + i] = session.logits(i);
            }
        });
        return rows;
    }

    /** The natural logarithm of the probability that these logits give a token. */
    public static double logProbability(float[] logits, int token) {
        double max = Double.NEGATIVE_INFINITY;
        for (float logit : logits) {
            max = Math.max(max, logit);
        }
        double sum = 0;
        for (float logit : logits) {
            sum += Math.exp(logit - max);
        }
        return logits[token] - max - Math.log(sum);
    }

    /** Mean log-probability of the tokens of a prompt but the first. */
    public static double meanLogProbability(float[][] rows, int[] ids) {
        double sum = 0;
        for (int i = 1; i < ids.length; i++) {
            sum += logProbability(rows[i - 1], ids[i]);
        }
        return sum / (ids.length - 1);
    }

    public static void assertClose(int[] ids, double[] values, float[] logits, double tolerance, String what) {
        for (int i = 0; i < ids.length; i++) {
            assertEquals(values[i], logits[ids[i]], tolerance, what + ", logit of token " + ids[i]);
        }
    }
}
