package io.hydra4j.decode;

import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Chooses the tree of the next step by measured cost and acceptance, and plain decoding where guessing does not pay.
 *
 * <p>The candidates are the trees of {@link StepCosts}, each a beginning of the next, so that a step with one of them tells what
 * every smaller one would have emitted. Estimates start from what the heads promise and follow the text; a tree larger than the
 * one in use keeps its lead in proportion. The rate, tokens ÷ cost, decides every {@link #PERIOD} steps. Now and then a tree of
 * nearly the best rate, or plain decoding, is probed for one period: costs count only in relation to each other, and times
 * before and after a change correct the relation that was measured at first.
 *
 * <p>What guessing loses against plain decoding is kept as a <em>debt</em>, in plain steps: each guessing step adds its cost
 * and takes off its tokens. At {@link #MAX_DEBT} guessing ends for a stretch of plain steps, long enough to make the debt less
 * than 1 % of the whole; then a trial begins, which may lose as much again. So heads that are useless for a text cost 1 %, and of a
 * short text no more than those few steps, while the credit that good heads earn lets them survive a run of bad luck, and a
 * part of what they gained pays for earlier trials where the text changes.
 *
 * <p>Short texts go on with what the one before has learned ({@link #next}), or each would pay for it anew. Not thread-safe.
 */
public final class AdaptiveTree {
    /** Steps between choices. */
    static final int PERIOD = 8;
    /** Steps after which an observation counts a third. */
    static final int MEMORY = 64;
    /** What a trial may lose, in plain steps. */
    static final double MAX_DEBT = 3;
    /** What guessing may lose after it has gained as much, in plain steps. */
    static final double MAX_CREDIT = 9;

    /** Steps that the heads' promise is worth beside what is observed. */
    private static final int PROMISE_STEPS = 16;
    /** Steps, the promise included, after which an estimate may end guessing by itself. */
    private static final int SURE_STEPS = 40;

    private static final double HYSTERESIS = 1.01;
    /** Plain steps between trials: while earlier gains pay for trials, at first, and after many failures. */
    private static final int PAID_STRETCH = 96;

    private static final int FIRST_STRETCH = 384;
    private static final int LONGEST_STRETCH = 3072;
    /** The part of what guessing gains that may go into trials, and the most that is kept for them, in plain steps. */
    private static final double TRIAL_SHARE = 0.1;

    private static final double MAX_PURSE = 40;
    /** Guessing steps between probes, at first and later. */
    private static final int FIRST_PROBE = 16;

    private static final int LONGEST_PROBE = 512;
    /** Parts of the best rate from which on a larger tree, and plain decoding, are probed. */
    private static final double WORTH_PROBING = 0.85;

    private static final double WORTH_PROBING_PLAIN = 0.72;

    private final List<Tree> trees;
    /** {@code [tree][node]}: the smallest tree that has the node. */
    private final int[][] smallest;

    private final double[] promised;
    private final double[] costs;
    private final double[] expected;
    /** {@code [tree]}: guessed tokens that are accepted ÷ those of the next smaller tree. */
    private final double[] leads;

    private final PeriodTimes times = new PeriodTimes();
    private int current;
    private int periodLeft = PERIOD;
    private double steps = PROMISE_STEPS;
    private double debt;
    /** What guessing has gained since the trial began, and what is kept of that for trials. */
    private double gain;

    private double purse;
    private int stretch = FIRST_STRETCH;
    private int untilProbe = FIRST_PROBE;
    private int probeEvery = FIRST_PROBE;
    private boolean probePlainNext;

    /** A choice that starts from what was measured and what the heads promise. */
    public AdaptiveTree(StepCosts measured) {
        trees = measured.trees();
        smallest = smallest(measured);
        costs = measured.nanos();
        promised = measured.expectedTokens();
        expected = promised.clone();
        leads = new double[trees.size()];
        for (int t = 2; t < leads.length; t++) {
            leads[t] = (promised[t] - 1) / Math.max(promised[t - 1] - 1, 1e-3);
        }
        current = best(0);
        if (current == 0) {
            beginStretch();
        }
    }

    private AdaptiveTree(AdaptiveTree before) {
        trees = before.trees;
        smallest = before.smallest;
        promised = before.promised;
        costs = before.costs.clone();
        expected = before.expected.clone();
        leads = before.leads.clone();
        current = before.current;
        periodLeft = before.periodLeft;
        steps = Math.min(before.steps, SURE_STEPS);
        debt = before.debt;
        gain = before.gain;
        purse = before.purse;
        stretch = before.stretch;
        untilProbe = before.untilProbe;
        probeEvery = before.probeEvery;
        probePlainNext = before.probePlainNext;
    }

    /** A choice for another text, which goes on from where this one is. Later steps of either do not concern the other. */
    public AdaptiveTree next() {
        return new AdaptiveTree(this);
    }

    private static int[][] smallest(StepCosts measured) {
        Map<List<Integer>, Integer> treeOf = new HashMap<>();
        List<Tree> trees = measured.trees();
        for (int t = 1; t < trees.size(); t++) {
            for (List<Integer> path : trees.get(t).paths()) {
                treeOf.putIfAbsent(path, t);
            }
        }
        int[][] smallest = new int[trees.size()][];
        for (int t = 0; t < smallest.length; t++) {
            List<List<Integer>> paths = trees.get(t).paths();
            smallest[t] = new int[paths.size() + 1];
            for (int i = 0; i < paths.size(); i++) {
                smallest[t][i + 1] = treeOf.get(paths.get(i));
            }
        }
        return smallest;
    }

    /** The tree for the next step. */
    public Tree tree() {
        return trees.get(current);
    }

    /**
     * Takes in what a step with {@link #tree} did.
     *
     * @param nanos its time
     */
    public void observe(Step step, long nanos) {
        if (step.nodes() != tree().nodes() || trees.size() == 1) {
            return; // cut short by the end of the context, or nothing to choose from
        }
        times.add(nanos);
        if (current > 0) {
            follow(step);
            double loss = costs[current] / costs[0] - step.tokens().length;
            debt = Math.max(-MAX_CREDIT, debt + loss);
            gain -= loss;
            untilProbe--;
            stretch = debt == -MAX_CREDIT ? FIRST_STRETCH : stretch;
            if (debt >= MAX_DEBT) {
                times.correct(costs, current);
                beginStretch();
                return;
            }
        }
        if (--periodLeft == 0) {
            times.correct(costs, current);
            choose();
        }
    }

    /** Follows what each tree up to the current one emits, or would have emitted. */
    private void follow(Step step) {
        steps++;
        double weight = Math.max(1 / steps, 1.0 / MEMORY);
        int[] path = step.path();
        int emitted = 1;
        for (int t = 1; t <= current; t++) {
            while (emitted < path.length && smallest[current][path[emitted]] <= t) {
                emitted++;
            }
            expected[t] += weight * (emitted - expected[t]);
        }
        for (int t = 2; t < expected.length; t++) {
            double smaller = expected[t - 1] - 1;
            if (t > current) {
                expected[t] = 1 + smaller * leads[t];
            } else if (smaller > 0.05) {
                leads[t] = Math.max(1, (expected[t] - 1) / smaller);
            }
        }
    }

    private void choose() {
        periodLeft = PERIOD;
        if (current == 0 && debt >= MAX_DEBT) {
            beginTrial();
            return;
        }
        int best = best(1);
        if (rate(best) < rate(0) && steps >= SURE_STEPS) {
            beginStretch();
        } else if (rate(best) > HYSTERESIS * rate(current) || current == 0) {
            use(best);
        } else if (untilProbe <= 0) {
            probe();
        }
    }

    /** Uses for one period what the last choice was not sure about. */
    private void probe() {
        probePlainNext = !probePlainNext;
        int probed = probePlainNext ? 0 : current + 1;
        double worth = probed == 0 ? WORTH_PROBING_PLAIN : WORTH_PROBING;
        if (probed < trees.size() && rate(probed) >= worth * rate(current)) {
            use(probed);
        }
        probeEvery = Math.min(LONGEST_PROBE, 2 * probeEvery);
        untilProbe = probeEvery;
    }

    /** Decodes plainly for a while. */
    private void beginStretch() {
        purse = Math.min(MAX_PURSE, purse + (gain > 0 ? TRIAL_SHARE * gain : gain));
        gain = 0;
        boolean isPaid = purse >= MAX_DEBT;
        purse = Math.max(0, purse);
        debt = MAX_DEBT;
        use(0);
        periodLeft = isPaid ? PAID_STRETCH : stretch;
        stretch = isPaid ? stretch : Math.min(LONGEST_STRETCH, 2 * stretch);
    }

    /** Gives guessing another chance. Past failures count half, the promise counts half. */
    private void beginTrial() {
        debt = 0;
        steps = PROMISE_STEPS;
        untilProbe = FIRST_PROBE;
        probeEvery = FIRST_PROBE;
        for (int t = 1; t < expected.length; t++) {
            expected[t] = (expected[t] + promised[t]) / 2;
        }
        use(best(1));
    }

    private void use(int tree) {
        if (tree != current) {
            current = tree;
            times.begin();
        }
        periodLeft = PERIOD;
    }

    private double rate(int t) {
        return (t == 0 ? 1 : expected[t]) / costs[t];
    }

    private int best(int from) {
        int best = from;
        for (int t = from + 1; t < trees.size(); t++) {
            best = rate(t) > rate(best) ? t : best;
        }
        return best;
    }

    /** Times of the steps before and after a change of the tree. */
    private static final class PeriodTimes {
        /** How much of a difference is believed, as an exponent. */
        private static final double CORRECTION = 0.75;

        private final double[] last = new double[PERIOD];
        private int count;
        /** What the tree before took ÷ what it was expected to take; 0 where that is not known. */
        private double before;

        /** A change. The first step behind it is left aside: it pays for the change. */
        void begin() {
            count = -1;
        }

        void add(double nanos) {
            if (count >= 0) {
                last[count % PERIOD] = nanos;
            }
            count++;
        }

        /** Moves the cost of a tree most of the way to its relation to the tree before, once there are times enough. */
        void correct(double[] costs, int tree) {
            if (count < PERIOD / 2) {
                return;
            }
            double[] sorted = Arrays.copyOf(last, Math.min(count, PERIOD));
            Arrays.sort(sorted);
            double now = sorted[sorted.length / 2] / costs[tree];
            if (before > 0 && count < PERIOD) {
                double factor = Math.pow(Math.min(2, Math.max(0.5, now / before)), CORRECTION);
                costs[tree] *= factor;
                now /= factor;
            }
            before = now;
        }
    }
}
