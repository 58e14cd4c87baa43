package io.hydra4j.tuning;

import io.hydra4j.decode.Session;
import io.hydra4j.decode.SessionStatistics;
import io.hydra4j.decode.Tree;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.TreeMap;

/**
 * Times steps with many trees by taking turns over a few of them, within a budget of time: where that is short, small trees are timed
 * alone, and the others are estimated from them. Verification is timed by size, the draft by depth and size; the
 * trees between lie on straight lines. The least of the times counts, for whatever else runs on the machine can only add to
 * them, and a larger tree never counts as cheaper than a smaller one.
 */
final class StepTimer {
    /** Sizes that are timed of the deepest trees, and of the others beside their smallest. */
    private static final Set<Integer> SIZES = Set.of(8, 16, 32, 64);

    private static final int OTHER_SIZE = 16;
    private static final int MAX_TURNS = 5;
    /** Plain steps in one turn: the first ones find in the caches what a large tree has left there. */
    private static final int PLAIN_STEPS = 12;
    /** Those that are timed whatever the budget. The first pays for what is done once. */
    private static final int LEAST_PLAIN_STEPS = 3;
    /** Steps in one turn with a tree, and the most with one that seems to cost too much. */
    private static final int STEPS = 2;

    private static final int ATTEMPTS = 6;
    /** How much more than in proportion to its size a tree may seem to cost. */
    private static final double PLAUSIBLE = 1.2;

    private static final int PROMPT = 8;

    private final Session session;
    private final List<Tree> trees;
    private final List<Tree> timed = new ArrayList<>();
    private final long budgetNanos;
    /** Whether trees that cannot pay are timed as well. */
    private final boolean isComplete;

    private long end;
    private double plain = Double.MAX_VALUE;
    /** Least time by number of nodes. */
    private final TreeMap<Integer, Double> verify = new TreeMap<>();
    /** Least time by depth, then by number of nodes. */
    private final TreeMap<Integer, TreeMap<Integer, Double>> draft = new TreeMap<>();

    /** @param budgetNanos no step begins after this time but the few that are always timed */
    StepTimer(Session session, List<Tree> trees, long budgetNanos) {
        this(session, trees, budgetNanos, false);
    }

    private StepTimer(Session session, List<Tree> trees, long budgetNanos, boolean isComplete) {
        this.session = session;
        this.budgetNanos = budgetNanos;
        this.trees = trees;
        this.isComplete = isComplete;
        int deepest = trees.stream().mapToInt(Tree::depth).max().orElse(0);
        for (Tree tree : trees) {
            boolean isSize = tree.depth() == deepest ? SIZES.contains(tree.nodes()) : tree.nodes() == OTHER_SIZE;
            if (tree.nodes() > 1 && (isComplete || isSmallest(tree) || isSize)) {
                timed.add(tree);
            }
        }
    }

    /** Of all these trees, also of those that cost more than they can bring, for who wants to know what they cost. */
    static StepTimer ofAll(Session session, List<Tree> trees, long budgetNanos) {
        return new StepTimer(session, trees, budgetNanos, true);
    }

    /** Nanoseconds of a step with each tree; infinite where it cannot pay, unless all are timed. */
    double[] measure() {
        double[] nanos = new double[trees.size()];
        if (session.remainingContext() < 2) {
            Arrays.fill(nanos, Double.POSITIVE_INFINITY);
            nanos[0] = 1; // no place for a step after a prompt
            return nanos;
        }
        end = System.nanoTime() + budgetNanos;
        for (int turn = 0; turn < MAX_TURNS && (turn == 0 || !isLate()); turn++) {
            timePlain();
            timeTrees();
        }
        if (isComplete && !verify.isEmpty()) {
            verify.put(1, plain);
        }
        rise(verify);
        plain = isComplete ? verify.getOrDefault(1, plain) : plain;
        draft.values().forEach(StepTimer::rise);
        for (int t = 0; t < nanos.length; t++) {
            nanos[t] = nanos(trees.get(t));
        }
        return isComplete ? nanos : StepCosts.limit(trees, nanos);
    }

    private boolean isLate() {
        return System.nanoTime() >= end;
    }

    private void timePlain() {
        for (int i = 0; i < PLAIN_STEPS && (i < LEAST_PLAIN_STEPS || !isLate()); i++) {
            SessionStatistics step = step(Tree.ROOT);
            plain = Math.min(plain, step.stepNanos());
        }
    }

    /** One turn over the trees; those that cost more than they can bring are left out of the next. */
    private void timeTrees() {
        List<Tree> tooExpensive = new ArrayList<>();
        List<Tree> kept = new ArrayList<>();
        for (Tree tree : timed) {
            if (isLate() && !verify.isEmpty()) {
                return;
            }
            if (!isNoCheaper(tree, tooExpensive)) {
                (mayPay(tree) || isComplete ? kept : tooExpensive).add(tree);
            }
        }
        timed.retainAll(kept);
    }

    /** Whether a tree costs at least as much as one of these, and cannot bring more. */
    private static boolean isNoCheaper(Tree tree, List<Tree> others) {
        return others.stream().anyMatch(other -> other.depth() >= tree.depth() && other.nodes() <= tree.nodes());
    }

    /** Times a tree, again where the time is not plausible; whether it costs less than plain steps for its deepest path. */
    private boolean mayPay(Tree tree) {
        var drafts = draft.computeIfAbsent(tree.depth(), depth -> new TreeMap<>());
        double limit = plain * (tree.depth() + 1);
        double least = Double.MAX_VALUE;
        for (int i = 0; i < ATTEMPTS && (i < STEPS || !isLate() && (least > limit || !isPlausible(tree))); i++) {
            SessionStatistics step = step(tree);
            drafts.merge(tree.nodes(), (double) step.draftNanos(), Math::min);
            verify.merge(tree.nodes(), (double) step.verifyNanos() + step.acceptNanos(), Math::min);
            least = Math.min(least, step.stepNanos());
        }
        return least <= limit;
    }

    /** A pass costs no more a row than a smaller one does. */
    private boolean isPlausible(Tree tree) {
        return isPlausible(verify, tree.nodes()) && isPlausible(draft.get(tree.depth()), tree.nodes());
    }

    private static boolean isPlausible(TreeMap<Integer, Double> times, int size) {
        var smaller = times.lowerEntry(size);
        return smaller == null || times.get(size) <= PLAUSIBLE * smaller.getValue() * size / smaller.getKey();
    }

    private SessionStatistics step(Tree tree) {
        if (session.length() == 0 || session.remainingContext() <= tree.depth()) {
            session.rewind(0);
            session.prefill(new int[Math.min(PROMPT, session.remainingContext() / 2)]);
        }
        session.setTree(tree);
        session.resetStatistics();
        session.step();
        return session.statistics();
    }

    /** Whether no smaller tree is as deep. */
    private boolean isSmallest(Tree tree) {
        return trees.stream().noneMatch(other -> other.depth() == tree.depth() && other.nodes() < tree.nodes());
    }

    /** Makes times rise with the size. */
    private static void rise(TreeMap<Integer, Double> times) {
        double least = Double.MAX_VALUE;
        for (Integer size : times.descendingKeySet()) {
            least = Math.min(least, times.get(size));
            times.put(size, least);
        }
    }

    /** Nanoseconds of a step with any tree, as far as is known after {@link #measure}. */
    double nanos(Tree tree) {
        if (tree.nodes() == 1) {
            return plain;
        }
        return verify.isEmpty() ? Double.POSITIVE_INFINITY : draftNanos(tree) + at(verify, tree.nodes());
    }

    /** Of a depth that was not timed: as that of the nearest that was, in proportion. */
    private double draftNanos(Tree tree) {
        Integer nearest = draft.floorKey(tree.depth());
        nearest = nearest == null ? draft.ceilingKey(tree.depth()) : nearest;
        return at(draft.get(nearest), tree.nodes()) * tree.depth() / nearest;
    }

    /** The time at a size: on the straight line between its neighbours, or through the nearest two. */
    private static double at(TreeMap<Integer, Double> times, int size) {
        var below = times.floorEntry(size);
        var above = times.ceilingEntry(size);
        if (below == null) {
            return above.getValue();
        }
        if (above == null) {
            var before = times.lowerEntry(below.getKey());
            double slope = before == null
                    ? below.getValue() / below.getKey()
                    : (below.getValue() - before.getValue()) / (below.getKey() - before.getKey());
            return below.getValue() + slope * (size - below.getKey());
        }
        double width = above.getKey() - below.getKey();
        double share = width == 0 ? 0 : (size - below.getKey()) / width;
        return below.getValue() + share * (above.getValue() - below.getValue());
    }
}
