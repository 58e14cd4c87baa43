package io.hydra4j.decode;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;

/** How often each token was drawn, beside how often it should be. */
final class DrawCounts {
    private final double[] probabilities;
    private final long[] counts;
    private final Sampling options;
    private long draws;

    /** The probabilities are those of softmax(logits / temperature), of the tokens that the filters leave. */
    DrawCounts(float[] logits, Sampling options) {
        this.options = options;
        float[] distances = SamplingReference.distances(logits, options.temperature());
        List<Integer> kept = SamplingReference.kept(distances, options);
        double all = kept.stream().mapToDouble(v -> Math.exp(-distances[v])).sum();
        probabilities = new double[logits.length];
        counts = new long[logits.length];
        kept.forEach(v -> probabilities[v] = Math.exp(-distances[v]) / all);
    }

    void add(int token) {
        counts[token]++;
        draws++;
    }

    /** By a chi-square test that one run in a million of an exact sampler fails; the seeds are fixed, so that none does by chance. */
    void assertDistributed() {
        double chiSquare = 0;
        int freedom = -1;
        for (int v = 0; v < counts.length; v++) {
            double expected = draws * probabilities[v];
            if (expected == 0) {
                assertEquals(0, counts[v], options + " drew token " + v + ", which a filter leaves out");
            } else {
                assertTrue(expected >= 5, "too few draws expected of token " + v);
                chiSquare += (counts[v] - expected) * (counts[v] - expected) / expected;
                freedom++;
            }
        }
        double limit = quantile(freedom);
        assertTrue(chiSquare < limit, options + ": chi-square " + chiSquare + " of " + freedom + ", limit " + limit);
    }

    /** What is exceeded once in a million, by Wilson and Hilferty's approximation. */
    private static double quantile(int freedom) {
        if (freedom == 0) {
            return Double.MIN_VALUE;
        }
        double ninth = 2.0 / (9 * freedom);
        return freedom * Math.pow(1 - ninth + 4.7534 * Math.sqrt(ninth), 3);
    }
}
