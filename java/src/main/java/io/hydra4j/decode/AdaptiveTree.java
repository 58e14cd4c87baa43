package io.hydra4j.decode;

import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Chooses the tree of the next step by measured cost and acceptance, and plain decoding where guessing does not pay.
 *
 * <p>The candidates are the trees of {@link StepCosts}. How often each node is accepted starts from what the heads promise and
 * follows the text, whatever tree was in use when it was seen; a node that is not in use keeps its relation to its parent. The
 * rate, expected tokens ÷ cost, decides every {@link #PERIOD} steps. Now and then a tree of nearly the best rate that has other
 * nodes, or plain decoding, is probed for one period: costs count only in relation to each other, and times before and after
 * a change correct the relation that was measured at first. Decoding begins with one plain period for the same reason.
 *
 * <p>What guessing loses against plain decoding is kept as a <em>debt</em>, in plain steps: each guessing step adds its cost
 * and takes off its tokens. Its cost is its own time beside that of the last plain steps, so that what was measured in a bad
 * moment cannot hide a loss. At {@link #MAX_DEBT} guessing ends for a stretch of plain steps, long enough to make the debt less
 * than 1 % of the whole; then a trial begins, which may lose as much again. Where the last plain steps are long ago, a plain
 * period comes first: the whole machine may have become slower. So heads that are useless for a text cost 1 %, and of a
 * short text no more than those few steps, while the credit that good heads earn lets them survive a run of bad luck, and a
 * part of what they gained pays for earlier trials where the text changes.
 *
 * <p>Short texts go on with what the one before has learned ({@link #next}), or each would pay for it anew. Not thread-safe.
 */
public final class AdaptiveTree {
    /** Steps between choices. */
    static final int PERIOD = 8;
    /** Guessing steps for which the time of a plain step is taken to be what it was. */
    static final int FRESH = 64;
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
    /** Shares of parents that are accepted less often than this mean nothing. */
    private static final double RARE = 0.02;
    /** The most that is expected of a node that was never in use, where its parent is accepted. */
    private static final double MAX_SHARE = 0.9;

    private final List<Tree> trees;
    /** {@code [tree][node]}: the place of the node in the growth order, the root's being 0. */
    private final int[][] places;
    /** {@code [place]}: that of the parent. */
    private final int[] parents;
    /** {@code [place]}: what the heads promise to accept. */
    private final double[] promised;
    /** {@code [place]}: how often the node is accepted, as far as is known. */
    private final double[] accepted;
    /** {@code [place]}: how often, where its parent is. */
    private final double[] shares;
    /** {@code [place]}: whether the node was ever in use. */
    private final boolean[] isKnown;
    /** {@code [tree]}: time of a step, in the unit of what was measured last. */
    private final double[] costs;
    /** {@code [tree]}: tokens that a step is expected to emit. */
    private final double[] expected;

    private final PeriodTimes times = new PeriodTimes();
    /** Time of a plain step, in nanoseconds: of the last ones, 0 before there were any. */
    private double plainNanos;
    /** Guessing steps since. */
    private int sincePlain;

    private int current;
    private int periodLeft = PERIOD;
    private double steps = PROMISE_STEPS;
    /** Square root of what was accepted ÷ what was promised of the nodes in use. */
    private double reliability = 1;

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
        Map<List<Integer>, Integer> placeOf = new HashMap<>();
        placeOf.put(List.of(), 0);
        measured.order().paths().forEach(path -> placeOf.put(path, placeOf.size()));
        places = trees.stream().map(tree -> places(tree, placeOf)).toArray(int[][]::new);
        parents = new int[placeOf.size()];
        placeOf.forEach(
                (path, place) -> parents[place] = path.isEmpty() ? 0 : placeOf.get(path.subList(0, path.size() - 1)));
        promised = measured.order().gains().stream()
                .mapToDouble(Double::doubleValue)
                .toArray();
        accepted = promised.clone();
        shares = new double[accepted.length];
        isKnown = new boolean[accepted.length];
        for (int i = 0; i < shares.length; i++) {
            shares[i] = promised[i] / Math.max(promised[parents[i]], RARE);
        }
        costs = measured.nanos();
        expected = new double[trees.size()];
        expect();
        if (best(0) == 0) {
            beginStretch();
        }
    }

    private static int[] places(Tree tree, Map<List<Integer>, Integer> placeOf) {
        int[] places = new int[tree.nodes()];
        for (int i = 1; i < places.length; i++) {
            places[i] = placeOf.get(tree.paths().get(i - 1));
        }
        return places;
    }

    private AdaptiveTree(AdaptiveTree before) {
        trees = before.trees;
        places = before.places;
        parents = before.parents;
        promised = before.promised;
        accepted = before.accepted.clone();
        shares = before.shares.clone();
        isKnown = before.isKnown.clone();
        reliability = before.reliability;
        costs = before.costs.clone();
        expected = before.expected.clone();
        current = before.current;
        periodLeft = before.periodLeft;
        steps = Math.min(before.steps, SURE_STEPS);
        debt = before.debt;
        gain = before.gain;
        purse = before.purse;
        stretch = before.stretch;
        plainNanos = before.plainNanos;
        sincePlain = before.sincePlain;
        untilProbe = before.untilProbe;
        probeEvery = before.probeEvery;
        probePlainNext = before.probePlainNext;
    }

    /** A choice for another text, which goes on from where this one is. Later steps of either do not concern the other. */
    public AdaptiveTree next() {
        return new AdaptiveTree(this);
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
        if (current == 0) {
            plainNanos = times.isKnown() ? times.median() : plainNanos;
            sincePlain = 0;
        } else {
            follow(step);
            double loss = plainSteps() - step.tokens().length;
            debt = Math.max(-MAX_CREDIT, debt + loss);
            gain -= loss;
            untilProbe--;
            sincePlain++;
            stretch = debt == -MAX_CREDIT ? FIRST_STRETCH : stretch;
            if (debt >= MAX_DEBT) {
                times.correct(costs, current);
                if (sincePlain > FRESH) {
                    debt = MAX_DEBT - 1;
                    use(0);
                } else {
                    beginStretch();
                }
                return;
            }
        }
        if (--periodLeft == 0) {
            times.correct(costs, current);
            choose();
        }
    }

    /** What a step with the current tree costs, in plain steps. */
    private double plainSteps() {
        return plainNanos > 0 && times.isKnown() ? times.median() / plainNanos : costs[current] / costs[0];
    }

    /** Follows how often each node of the tree is accepted. */
    private void follow(Step step) {
        steps++;
        double weight = Math.max(1 / steps, 1.0 / MEMORY);
        for (int place : places[current]) {
            accepted[place] -= weight * accepted[place];
        }
        for (int node : step.path()) {
            accepted[places[current][node]] += weight;
        }
    }

    /**
     * What each tree may be expected to emit. Nodes outside the tree in use follow their parents; those that were never in use
     * are expected to keep their promise about as well as the others do.
     */
    private void expect() {
        boolean[] isSeen = new boolean[accepted.length];
        double kept = 0;
        double due = 0;
        for (int place : places[current]) {
            isSeen[place] = true;
            isKnown[place] = true;
            kept += place == 0 ? 0 : accepted[place];
            due += place == 0 ? 0 : promised[place];
        }
        reliability = due == 0 ? reliability : Math.sqrt(kept / due);
        accepted[0] = 1;
        for (int i = 1; i < accepted.length; i++) {
            double parent = accepted[parents[i]];
            if (!isSeen[i]) {
                accepted[i] = parent * (isKnown[i] ? shares[i] : Math.min(MAX_SHARE, shares[i] * reliability));
            } else if (parent > RARE) {
                shares[i] = accepted[i] / parent;
            }
        }
        for (int t = 0; t < expected.length; t++) {
            expected[t] = Arrays.stream(places[t])
                    .mapToDouble(place -> accepted[place])
                    .sum();
        }
    }

    private void choose() {
        periodLeft = PERIOD;
        if (current == 0 && debt >= MAX_DEBT) {
            beginTrial();
            return;
        }
        expect();
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
        int probed = probePlainNext ? 0 : bestWithOtherNodes();
        double worth = probed == 0 ? WORTH_PROBING_PLAIN : WORTH_PROBING;
        if (rate(probed) >= worth * rate(current)) {
            use(probed);
        }
        probeEvery = Math.min(LONGEST_PROBE, 2 * probeEvery);
        untilProbe = probeEvery;
    }

    /** The tree of the best rate that has a node which the current one does not have; this one itself if there is none. */
    private int bestWithOtherNodes() {
        int best = current;
        double bestRate = 0;
        Set<Integer> seen = new HashSet<>();
        Arrays.stream(places[current]).forEach(seen::add);
        for (int t = 1; t < trees.size(); t++) {
            if (rate(t) > bestRate && !Arrays.stream(places[t]).allMatch(seen::contains)) {
                best = t;
                bestRate = rate(t);
            }
        }
        return best;
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
        steps = PROMISE_STEPS;
        untilProbe = FIRST_PROBE;
        probeEvery = FIRST_PROBE;
        for (int i = 1; i < accepted.length; i++) {
            accepted[i] = (accepted[i] + promised[i]) / 2;
            shares[i] = accepted[i] / Math.max(accepted[parents[i]], RARE);
        }
        expect();
        int best = best(1);
        if (rate(best) == 0) {
            periodLeft = LONGEST_STRETCH; // no tree can pay
        } else {
            debt = 0;
            use(best);
        }
    }

    private void use(int tree) {
        if (tree != current) {
            current = tree;
            times.begin();
        }
        periodLeft = PERIOD;
    }

    private double rate(int t) {
        return expected[t] / costs[t];
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

        /** Whether there are times enough since the last change to say what a step takes. */
        boolean isKnown() {
            return count >= PERIOD / 2;
        }

        /** What a step takes, in nanoseconds. */
        double median() {
            double[] sorted = Arrays.copyOf(last, Math.min(count, PERIOD));
            Arrays.sort(sorted);
            return sorted[sorted.length / 2];
        }

        /** Moves the cost of a tree most of the way to its relation to the tree before, once there are times enough. */
        void correct(double[] costs, int tree) {
            if (!isKnown()) {
                return;
            }
            double now = median() / costs[tree];
            if (before > 0 && count < PERIOD) {
                double factor = Math.pow(Math.min(2, Math.max(0.5, now / before)), CORRECTION);
                costs[tree] *= factor;
                now /= factor;
            }
            before = now;
        }
    }
}
