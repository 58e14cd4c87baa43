package io.hydra4j.tuning;

import java.util.Arrays;

/**
 * How many times what is expected of them steps with a draft take, beside steps without one. Both change what the other takes: heads
 * drive the weights of the base from the caches, and where steps of one kind alone are seen for long nobody knows what the other kind would
 * take now. So whenever one kind has followed the other the last of both are held against each other, by their medians. Not thread-safe.
 */
final class DraftExcess {
    /** Steps of a kind that are compared, at most and at least. */
    private static final int MOST = 8;

    private static final int LEAST = 3;
    /** What is believed before anything was compared, the share of a comparison, and what no comparison is believed to be beyond. */
    private static final double AT_FIRST = 1.05;

    private static final double NEWS = 0.25;
    private static final double LOWEST = 0.8;
    private static final double HIGHEST = 2;

    private double value = AT_FIRST;
    /** {@code [0: without, 1: with a draft][MOST]} nanoseconds of the last steps, each as a multiple of its expected cost. */
    private final double[][] last = new double[2][MOST];
    /** {@code [kind]} steps noted since {@link #begin}; beyond 2 {@link #MOST} it goes on from MOST. */
    private final int[] counts = new int[2];

    DraftExcess() {}

    DraftExcess(DraftExcess other) {
        value = other.value;
        for (int kind = 0; kind < last.length; kind++) {
            System.arraycopy(other.last[kind], 0, last[kind], 0, MOST);
            counts[kind] = other.counts[kind];
        }
    }

    /** {@return what a step costs whose parts are expected to cost so much} */
    double of(boolean drafts, double parts) {
        return drafts ? parts * value : parts;
    }

    /** Forgets the steps of one kind, of which others are to come. */
    void begin(boolean drafts) {
        counts[drafts ? 1 : 0] = 0;
    }

    /** Takes in a step. */
    void note(boolean drafts, double nanosOfCost) {
        int kind = drafts ? 1 : 0;
        last[kind][counts[kind] % MOST] = nanosOfCost;
        counts[kind] = counts[kind] + 1 < 2 * MOST ? counts[kind] + 1 : MOST;
    }

    /** Holds the last steps of both kinds against each other. */
    void compare() {
        if (counts[0] >= LEAST && counts[1] >= LEAST) {
            double seen = Math.max(LOWEST, Math.min(HIGHEST, median(1) / median(0)));
            value *= Math.pow(seen / value, NEWS);
        }
    }

    private double median(int kind) {
        double[] sorted = Arrays.copyOf(last[kind], Math.min(MOST, counts[kind]));
        Arrays.sort(sorted);
        return (sorted[(sorted.length - 1) / 2] + sorted[sorted.length / 2]) / 2;
    }
}
