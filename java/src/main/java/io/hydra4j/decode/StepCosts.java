package io.hydra4j.decode;

import io.hydra4j.heads.DraftHeads;
import io.hydra4j.heads.TreeOrder;
import io.hydra4j.model.LlamaModel;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * What a step costs on this machine for trees of growing size, as measured. The trees are the beginnings of one growth order,
 * so that each holds the one before. Immutable.
 *
 * <p>A few sizes are timed in turns, the others lie between them. The least of the times counts, for whatever else runs on the
 * machine can only add to them, and a larger tree never counts as cheaper than a smaller one. Sizes that cost more than the
 * deepest path can bring are left out.
 */
public final class StepCosts {
    /** Sizes of the trees, the root included; every second one is timed. */
    private static final int[] SIZES = {1, 2, 4, 6, 8, 12, 16, 24, 32, 48, 64};

    private static final int MIN_REPEATS = 3;
    private static final int MAX_REPEATS = 9;
    /** No turn begins after this time, once each size has been timed often enough. */
    private static final long BUDGET_NANOS = 25_000_000;

    /** Steps in one turn of a plain step, and of a tree that seems to cost too much. */
    private static final int ATTEMPTS = 3;

    private static final int PROMPT = 32;

    private final TreeOrder order;
    private final List<Tree> trees;
    private final double[] nanos;

    private StepCosts(TreeOrder order, List<Tree> trees, double[] nanos) {
        this.order = order;
        this.trees = trees;
        this.nanos = nanos;
    }

    /**
     * Measures plain steps, and with heads steps with trees that grow as fits the heads, on a session of its own.
     *
     * @param heads the model's heads, or null
     */
    public static StepCosts measure(LlamaModel model, DraftHeads heads) {
        return measure(model, heads, heads == null ? new TreeOrder(List.of(), List.of(1.0)) : TreeGrowth.of(heads));
    }

    /** As {@link #measure(LlamaModel, DraftHeads)}, with trees that grow in this order. */
    public static StepCosts measure(LlamaModel model, DraftHeads heads, TreeOrder order) {
        List<Tree> trees = trees(order);
        Tree largest = trees.get(trees.size() - 1);
        SessionOptions options = new SessionOptions(0, Tree.ROOT, Math.max(1, largest.candidates()), false);
        try (Session session = new Session(model, heads, options)) {
            return of(order, new Timer(session, trees).measure());
        }
    }

    /**
     * Costs that are known.
     *
     * @param nanos time of a step with each of the first trees that grow in this order, in nanoseconds; the root alone first
     */
    static StepCosts of(TreeOrder order, double[] nanos) {
        double[] rising = nanos.clone();
        for (int i = rising.length - 2; i >= 0; i--) {
            rising[i] = Math.min(rising[i], rising[i + 1]);
        }
        return new StepCosts(order, trees(order).subList(0, nanos.length), rising);
    }

    /** The lesser of two measurements of the same trees, where both have a time. */
    public StepCosts least(StepCosts other) {
        if (!order.equals(other.order)) {
            throw new IllegalArgumentException("costs of other trees");
        }
        double[] both = new double[Math.min(nanos.length, other.nanos.length)];
        for (int t = 0; t < both.length; t++) {
            both[t] = Math.min(nanos[t], other.nanos[t]);
        }
        return of(order, both);
    }

    /** The trees of an order, each with the next of {@link #SIZES}. */
    static List<Tree> trees(TreeOrder order) {
        List<Tree> trees = new ArrayList<>();
        for (int size : SIZES) {
            int paths = Math.min(size - 1, order.paths().size());
            if (trees.isEmpty() || trees.get(trees.size() - 1).nodes() < paths + 1) {
                trees.add(Tree.of(order.paths().subList(0, paths)));
            }
        }
        return List.copyOf(trees);
    }

    /** Time of a one-token step, in nanoseconds. */
    public double plainNanos() {
        return nanos[0];
    }

    /** The trees, the root alone first. */
    public List<Tree> trees() {
        return trees;
    }

    /** The most candidates of one parent that any of the trees asks for, at least 1: what a session needs to use them all. */
    public int candidates() {
        return Math.max(1, trees.get(trees.size() - 1).candidates());
    }

    /** Time of a step with each of {@link #trees}, in nanoseconds. A copy. */
    public double[] nanos() {
        return nanos.clone();
    }

    /** The order in which the trees grow, with the tokens that their nodes are expected to add. */
    public TreeOrder order() {
        return order;
    }

    /** The tokens that a step with each of {@link #trees} is expected to emit before anything is known of the text. */
    public double[] expectedTokens() {
        double[] expected = new double[trees.size()];
        for (int t = 0; t < expected.length; t++) {
            for (double gain : order.gains().subList(0, trees.get(t).nodes())) {
                expected[t] += gain;
            }
        }
        return expected;
    }

    /** Takes turns over the sizes on one session. */
    private static final class Timer {
        private final Session session;
        private final List<Tree> trees;
        private final double[] least;
        private int count;

        Timer(Session session, List<Tree> trees) {
            this.session = session;
            this.trees = trees;
            this.least = new double[trees.size()];
            this.count = trees.size();
            Arrays.fill(least, Double.MAX_VALUE);
        }

        /** Times of the trees that may pay. */
        double[] measure() {
            if (session.room() < 2) {
                return new double[] {1}; // no room for a step behind a prompt
            }
            long end = System.nanoTime() + BUDGET_NANOS;
            for (int repeat = 0; repeat < MAX_REPEATS; repeat++) {
                if (repeat >= MIN_REPEATS && System.nanoTime() > end) {
                    break;
                }
                for (int t = 0; t < count; t++) {
                    if (isTimed(t)) {
                        time(t);
                    }
                }
            }
            for (int t = 1; t < count; t++) {
                if (!isTimed(t)) {
                    least[t] = between(t);
                }
            }
            return Arrays.copyOf(least, count);
        }

        private boolean isTimed(int t) {
            return t % 2 == 0 || t == count - 1;
        }

        private void time(int t) {
            Tree tree = trees.get(t);
            // No step emits more than the deepest path: what costs more cannot pay, and nor can larger trees.
            double limit = least[0] * (trees.get(trees.size() - 1).depth() + 1);
            int attempts = 0;
            do {
                if (session.length() == 0 || session.room() < 2 * (tree.depth() + 1)) {
                    session.rewind(0);
                    session.prefill(new int[Math.min(PROMPT, session.room() / 2)]);
                }
                session.setTree(tree);
                session.resetStatistics();
                session.step();
                least[t] = Math.min(least[t], session.statistics().nanosPerStep());
                attempts++;
            } while (attempts < ATTEMPTS && (t == 0 || least[t] > limit));
            if (t > 0 && least[t] > limit) {
                count = Math.min(count, t + 1);
            }
        }

        /** The time at this size on the straight line between its neighbours. */
        private double between(int t) {
            double from = trees.get(t - 1).nodes();
            double share = (trees.get(t).nodes() - from) / (trees.get(t + 1).nodes() - from);
            return least[t - 1] + share * (least[t + 1] - least[t - 1]);
        }
    }
}
