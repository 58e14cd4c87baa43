package io.hydra4j.tuning;

import io.hydra4j.decode.GrowthPolicy;
import io.hydra4j.decode.Session;
import io.hydra4j.decode.Tree;
import java.util.List;

/**
 * What passes and drafts cost on this machine, as measured: what a {@link GrowthChoice} finds out in its first steps otherwise. Immutable.
 *
 * @param rows of each kind of passes that was measured, rising
 * @param passNanos time of such a pass
 * @param draftNanos {@code [levels]} time of a draft of one level, of two, and so on; empty without heads
 */
public record GrowthCosts(List<Double> rows, List<Double> passNanos, List<Double> draftNanos) {
    private static final int[] ROWS = {1, 2, 3, 4, 6, 8, 12, 16, 24, 32};
    private static final int PROMPT = 8;
    /** Nodes of trees for which drafts are timed. */
    private static final int DRAFTED = 8;
    /** Times that everything is measured at least, beside once to begin with, and at most. */
    private static final int TURNS = 1;

    private static final int MOST_TURNS = 8;
    /** Ten days. */
    private static final double MOST_NANOS = 1e15;

    /** @throws IllegalArgumentException if there are no passes, not as many times as rows, or a value is out of range */
    public GrowthCosts {
        rows = List.copyOf(rows);
        passNanos = List.copyOf(passNanos);
        draftNanos = List.copyOf(draftNanos);
        if (rows.isEmpty() || rows.size() != passNanos.size()) {
            throw new IllegalArgumentException(passNanos.size() + " times for " + rows.size() + " numbers of rows");
        }
        double before = 0;
        for (double each : rows) {
            if (!(each > before && each <= PassTimes.MOST_ROWS)) {
                throw new IllegalArgumentException(
                        each + " rows after " + before + ": give rising numbers, at most " + PassTimes.MOST_ROWS);
            }
            before = each;
        }
        passNanos.forEach(GrowthCosts::requireTime);
        draftNanos.forEach(GrowthCosts::requireTime);
    }

    private static void requireTime(double nanos) {
        if (!(nanos >= 1 && nanos <= MOST_NANOS)) {
            throw new IllegalArgumentException("a time of " + nanos + " nanoseconds: give 1 to " + MOST_NANOS);
        }
    }

    /** The most nodes of the trees that are measured. */
    public static int nodes() {
        return ROWS[ROWS.length - 1];
    }

    /** {@return time of a pass with one token} */
    public double plainNanos() {
        return new PassTimes(this, draftNanos.size()).nanos(1);
    }

    /**
     * Measures, on an empty session.
     *
     * @param session that has a drafter with {@link FullChains} for its chains, and no policy
     * @param levels that heads fill
     * @param budgetNanos about how long it may take; everything is timed twice in any case
     */
    public static GrowthCosts measure(Session session, int levels, long budgetNanos) {
        PassTimes times = new PassTimes(levels);
        long end = System.nanoTime() + budgetNanos;
        Timing timing = new Timing(times);
        session.setTree(Tree.dynamic(nodes()));
        session.setGrowthPolicy(timing);
        for (int turn = 0; turn <= TURNS || turn < MOST_TURNS && System.nanoTime() < end; turn++) {
            for (int rows : ROWS) {
                step(session, timing, rows, 0);
            }
            for (int level = 1; level <= levels; level++) {
                step(session, timing, DRAFTED, level);
            }
        }
        return times.costs();
    }

    private static void step(Session session, Timing timing, int nodes, int levels) {
        if (session.length() == 0 || session.remainingContext() < 2 * nodes()) {
            session.rewind(0);
            session.prefill(new int[Math.min(PROMPT, session.remainingContext() / 2 + 1)]);
        }
        if (session.remainingContext() > 0) {
            timing.next = new GrowthPolicy.Growth(nodes, 0, levels);
            session.step();
        }
    }

    /** Lets trees grow as is to be timed, and notes what that took. */
    private static final class Timing implements GrowthPolicy {
        private final PassTimes times;
        private Growth next;

        Timing(PassTimes times) {
            this.times = times;
        }

        @Override
        public Growth choose(float[][] chances, int levels) {
            return next;
        }

        @Override
        public void observe(int[] emitted, int nodes, long nanos, long draft) {
            times.pass(nodes, Math.max(1, nanos - draft));
            if (draft > 0) {
                times.draft(next.levels(), 1, draft);
            }
        }
    }
}
