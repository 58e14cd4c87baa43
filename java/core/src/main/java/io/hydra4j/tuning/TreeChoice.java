package io.hydra4j.tuning;

import io.hydra4j.decode.Step;
import io.hydra4j.decode.Tree;
import io.hydra4j.heads.TreeOrder;
import java.util.Comparator;
import java.util.List;

/**
 * The choice of the tree of every step while text is decoded. Where step costs were measured before, an {@link AdaptiveTree} chooses
 * from the first step on. Where they were not, nothing is measured apart: the first plain steps, and a few with a small
 * tree, tell what rows and levels of the draft cost, and all of them emit tokens. Not thread-safe; no choice changes what is emitted.
 */
public final class TreeChoice {
    /** The most nodes of the tree that is tried first: the deepest that is so small. */
    private static final int TRIAL_NODES = 5;
    /** Steps with it. The first is left aside: it pays for what is done once. */
    private static final int TRIAL_STEPS = 3;
    /** How much wider than those of measured costs the variances of estimated ones are. */
    private static final double DOUBT = 2;

    private final TreeOrder order;
    private final List<Tree> trees;
    private final Tree trial;
    /** One object of all choices that go back to the same beginning. */
    private final Object origin;

    private final double[] plainNanos;
    private int plainSteps;
    private int trialSteps;
    private double trialNanos = Double.POSITIVE_INFINITY;
    private double draftNanos = Double.POSITIVE_INFINITY;
    private double budget = AdaptiveTree.TRIAL;
    private boolean hasObserved;
    /** Chooses once costs are known; null before. */
    private AdaptiveTree adaptive;

    private TreeChoice(TreeOrder order, List<Tree> trees, double[] plainNanos, AdaptiveTree adaptive, Object origin) {
        this.origin = origin;
        this.order = order;
        this.trees = trees;
        this.plainNanos = plainNanos;
        this.adaptive = adaptive;
        trial = trees.stream()
                .filter(tree -> tree.nodes() <= TRIAL_NODES)
                .max(Comparator.comparingInt(Tree::depth).thenComparing(Tree::nodes, Comparator.reverseOrder()))
                .orElse(Tree.ROOT);
    }

    /** A choice for which nothing was measured, among the beginnings of a growth order. */
    public static TreeChoice of(TreeOrder order) {
        return new TreeChoice(order, StepCosts.trees(order), new double[AdaptiveTree.PLAIN_PERIOD], null, new Object());
    }

    /** A choice that starts from costs that were measured. */
    public static TreeChoice of(StepCosts measured) {
        return new TreeChoice(
                measured.order(), measured.trees(), new double[0], new AdaptiveTree(measured), new Object());
    }

    /** A choice for another text, which goes on from where this one is. Later steps of either do not concern the other. */
    public TreeChoice next() {
        TreeChoice next =
                new TreeChoice(order, trees, plainNanos.clone(), adaptive == null ? null : adaptive.next(), origin);
        next.plainSteps = plainSteps;
        next.trialSteps = trialSteps;
        next.trialNanos = trialNanos;
        next.draftNanos = draftNanos;
        next.budget = budget;
        return next;
    }

    /** Whether this has observed a step, and both go back to the same beginning by {@link #next}. */
    public boolean continues(TreeChoice other) {
        return hasObserved && origin == other.origin;
    }

    /** The most candidates of one parent that any of the trees asks for, at least 1. */
    public int candidates() {
        return StepCosts.candidates(trees);
    }

    /** The tree for the next step. */
    public Tree tree() {
        if (adaptive != null) {
            return adaptive.tree();
        }
        return plainSteps < plainNanos.length ? Tree.ROOT : trial;
    }

    /**
     * Takes in what a step with {@link #tree} did.
     *
     * @param nanos its time
     * @param draft the part of it that went into the draft
     */
    public void observe(Step step, long nanos, long draft) {
        hasObserved = true;
        if (adaptive != null) {
            adaptive.observe(step, nanos);
        } else if (step.nodes() == tree().nodes() && trees.size() > 1) {
            learn(step, nanos, draft);
        }
    }

    private void learn(Step step, long nanos, long draft) {
        if (plainSteps < plainNanos.length) {
            plainNanos[plainSteps++] = nanos;
            return;
        }
        if (trialSteps++ > 0) {
            trialNanos = Math.min(trialNanos, nanos);
            draftNanos = Math.min(draftNanos, draft);
            budget += step.emitted() - nanos / plain();
        }
        if (trialSteps == TRIAL_STEPS || budget <= 0) {
            adaptive = new AdaptiveTree(StepCosts.of(order, estimate()), DOUBT, budget);
            // What it would have seen.
            for (double each : plainNanos) {
                adaptive.observe(new Step(new int[1], new int[1], 1), (long) each);
            }
        }
    }

    /** What a plain step takes: the lower quartile, as the first ones find caches cold. */
    private double plain() {
        return AdaptiveTree.lowerQuartile(plainNanos, plainNanos.length);
    }

    /** Costs that grow with rows and levels as those of the tree that was tried do. */
    private double[] estimate() {
        double plain = plain();
        double row = Math.max(0, trialNanos - draftNanos - plain) / (trial.nodes() - 1);
        double level = draftNanos / trial.depth();
        double[] nanos = new double[trees.size()];
        for (int t = 0; t < nanos.length; t++) {
            Tree tree = trees.get(t);
            nanos[t] = plain + row * (tree.nodes() - 1) + level * tree.depth();
        }
        return StepCosts.limit(trees, nanos);
    }
}
