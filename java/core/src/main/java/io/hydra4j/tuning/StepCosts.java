package io.hydra4j.tuning;

import io.hydra4j.decode.Session;
import io.hydra4j.decode.SessionOptions;
import io.hydra4j.decode.Tree;
import io.hydra4j.decode.access.Sessions;
import io.hydra4j.heads.DraftHeads;
import io.hydra4j.heads.TreeOrder;
import io.hydra4j.model.DecoderModel;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/**
 * What a step costs on this machine, as measured, for trees of growing size and depth: the beginnings of one growth order, and
 * of what is left of it when it is cut to a depth. A deeper tree costs another level of the draft, a larger one more rows in
 * each pass. Immutable.
 */
public final class StepCosts {
    /** Sizes of trees, the root included. */
    private static final int[] SIZES = {2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 48, 64};

    private static final long BUDGET_NANOS = 200_000_000;

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
    public static StepCosts measure(DecoderModel model, DraftHeads heads) {
        return measure(model, heads, order(heads));
    }

    /** The order in which trees grow for these heads; the root alone without heads. */
    private static TreeOrder order(DraftHeads heads) {
        return heads == null ? new TreeOrder(List.of(), List.of(1.0)) : TreeGrowth.of(heads);
    }

    /** As {@link #measure(DecoderModel, DraftHeads)}, with trees that grow in this order. */
    public static StepCosts measure(DecoderModel model, DraftHeads heads, TreeOrder order) {
        SessionOptions options = SessionOptions.of(Tree.ROOT).withCandidates(candidates(trees(order)));
        try (Session session = Sessions.session(model, heads, options)) {
            return of(order, new StepTimer(session, trees(order), BUDGET_NANOS).measure());
        }
    }

    /** The most candidates of one parent that any of the trees of an order asks for, at least 1. */
    public static int candidates(TreeOrder order) {
        return candidates(trees(order));
    }

    /**
     * Costs that are known.
     *
     * @param nanos time of a step with each of {@link #trees(TreeOrder)}, in nanoseconds
     */
    static StepCosts of(TreeOrder order, double[] nanos) {
        List<Tree> trees = trees(order);
        if (nanos.length != trees.size()) {
            throw new IllegalArgumentException(nanos.length + " times of steps for " + trees.size() + " trees");
        }
        return new StepCosts(order, trees, nanos.clone());
    }

    /** The lesser of two measurements of the same trees. */
    public StepCosts least(StepCosts other) {
        if (!order.equals(other.order)) {
            throw new IllegalArgumentException("costs of other trees");
        }
        double[] least = nanos.clone();
        for (int t = 0; t < least.length; t++) {
            least[t] = Math.min(least[t], other.nanos[t]);
        }
        return of(order, least);
    }

    /** The first nodes of the order in which trees grow for these heads, the root included; all if there are fewer. */
    public static Tree tree(DraftHeads heads, int nodes) {
        List<List<Integer>> paths = TreeGrowth.of(heads).paths();
        return Tree.of(paths.subList(0, Math.min(nodes - 1, paths.size())));
    }

    /** The trees of an order, by number of nodes and then by depth; the root alone first. */
    static List<Tree> trees(TreeOrder order) {
        Set<Tree> trees = new LinkedHashSet<>(List.of(Tree.ROOT));
        int depth = order.paths().stream().mapToInt(List::size).max().orElse(0);
        for (int d = 1; d <= depth; d++) {
            List<List<Integer>> paths = order.cut(d, Tree.MAX_NODES - 1).paths();
            for (int size : SIZES) {
                trees.add(Tree.of(paths.subList(0, Math.min(size - 1, paths.size()))));
            }
        }
        return trees.stream()
                .sorted(Comparator.comparingInt(Tree::nodes).thenComparingInt(Tree::depth))
                .toList();
    }

    static int candidates(List<Tree> trees) {
        return Math.max(1, trees.stream().mapToInt(Tree::candidates).max().orElse(1));
    }

    /**
     * Makes the costs of trees that cost more than their deepest path can bring infinite. The smallest tree of each depth always may
     * pay: where all steps with trees were timed in a bad moment, decoding would otherwise be plain for good. One that seems not to
     * counts as just paying, which trying it corrects. No tree counts as cheaper than a plain step.
     *
     * @param nanos of each of the trees, the root alone first
     */
    static double[] limit(List<Tree> trees, double[] nanos) {
        double[] limited = nanos.clone();
        for (int t = 1; t < limited.length; t++) {
            Tree tree = trees.get(t);
            double most = nanos[0] * (tree.depth() + 1);
            boolean isSmallest =
                    trees.stream().noneMatch(other -> other.depth() == tree.depth() && other.nodes() < tree.nodes());
            limited[t] = nanos[t] <= most ? Math.max(nanos[t], nanos[0]) : isSmallest ? most : Double.POSITIVE_INFINITY;
        }
        return limited;
    }

    /** The trees, the root alone first. */
    public List<Tree> trees() {
        return trees;
    }

    /** The most candidates of one parent that any of the trees asks for, at least 1: what a session needs to use them all. */
    public int candidates() {
        return candidates(trees);
    }

    /**
     * Time of a step with each of {@link #trees}, in nanoseconds; infinite for trees that cost more than their deepest path can
     * bring, but never for the smallest of a depth, which then counts as just paying. A copy.
     */
    public double[] nanos() {
        return nanos.clone();
    }
}
