package io.hydra4j.tuning;

import io.hydra4j.decode.Step;
import io.hydra4j.decode.Tree;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * Chooses the tree of the next step by measured cost and acceptance, and plain decoding where guessing does not pay.
 *
 * <p>The candidates are the trees of {@link StepCosts} that may pay. How often each node is accepted starts from the prior acceptance
 * of the heads and follows the text, whatever tree was in use when it was seen; a node that is not in use keeps its relation to its parent.
 * What steps cost beside each other starts from what was measured and follows the times before and after each change of the
 * tree ({@link CostEstimate}). The best rate, expected tokens ÷ cost, is chosen every {@link #PERIOD} steps; costs that are not
 * sure count as a little less, so that what may be better is tried. Decoding begins with a few plain steps, and guessing that is
 * not far ahead is interrupted by some now and then, so that there is something to compare it with.
 *
 * <p>Whether to guess at all is a matter of a <em>budget</em>, in plain steps: a guessing step adds its tokens and takes off its
 * cost, a plain step adds a small allowance. Guessing ends where nothing is left, and begins again when there is enough for
 * a trial; the allowance is halved with each trial that fails. So heads that are useless for a text cost 1 %, and of a short text
 * no more than the first trial, while what good heads have gained lets them survive a run of bad luck. A part of every
 * gain is saved and makes trials more frequent where the text changes.
 *
 * <p>A drafter may have no guesses for a step, which is plain then and tells nothing: costs and acceptance are those of the steps for
 * which there are some, and so is the rate by which they are chosen. The others cost no more than to find that out.
 *
 * <p>Short texts go on with what the one before has learned ({@link #next}), or each would pay for it anew. Not thread-safe.
 */
public final class AdaptiveTree {
    /** Steps between choices. */
    static final int PERIOD = 8;
    /** Plain steps that tell what one takes. */
    static final int PLAIN_PERIOD = PERIOD / 2 + 1;
    /** Steps after which an observation counts a third. */
    static final int MEMORY = 64;
    /** What a trial may lose, in plain steps. */
    static final double TRIAL = 3;
    /** What guessing may lose after it has gained as much, in plain steps. */
    static final double MAX_BUDGET = 16;

    /** The part of a plain step that may go into trials, at first and after many that failed. */
    private static final double ALLOWANCE = 0.02;

    private static final double LEAST_ALLOWANCE = ALLOWANCE / 8;
    /** The part of what guessing gains that is saved, the most that is, in plain steps, and the part of it that a plain step frees. */
    private static final double SAVED_SHARE = 0.1;

    private static final double MAX_SAVED = 40;
    private static final double FREED = 1.0 / 2000;
    /** Steps that the prior acceptance counts as, beside what is observed. */
    private static final int PRIOR_STEPS = 10;

    /** Guessing steps between plain ones, at first and later. */
    private static final int FIRST_PROBE = 16;

    private static final int LONGEST_PROBE = 512;
    /** The rate of guessing above which nobody asks whether plain decoding is faster. */
    private static final double CLEAR = 1.6;
    /** Shares of parents that are accepted less often than this mean nothing. */
    private static final double RARE = 0.02;
    /** The most that is expected of a node that was never in use, where its parent is accepted. */
    private static final double MAX_SHARE = 0.9;

    private final List<Tree> trees;
    /** {@code [tree][node]}: the place of the node in the growth order, the root's being 0. */
    private final int[][] places;
    /** {@code [place]}: that of the parent. */
    private final int[] parents;
    /** {@code [place]}: prior acceptance: how often the node is accepted where nothing was observed. */
    private final double[] prior;
    /** {@code [place]}: how often the node is accepted, as far as is known. */
    private final double[] accepted;
    /** {@code [place]}: how often, where its parent is. */
    private final double[] shares;
    /** {@code [place]}: whether the node was ever in use. */
    private final boolean[] isKnown;
    /** {@code [tree]}: tokens that a step is expected to emit. */
    private final double[] expected;

    private final CostEstimate costs;
    private final PeriodTimes times = new PeriodTimes();

    private int current;
    private int periodLeft = PLAIN_PERIOD;
    private double steps = PRIOR_STEPS;
    /** Square root of what was accepted ÷ the prior acceptance of the nodes in use. */
    private double reliability = 1;

    private double budget;
    private double allowance = ALLOWANCE;
    private double saved;
    /** Whether guessing has ended until there is budget for a trial. */
    private boolean isResting;
    /** Whether a plain step was timed here. */
    private boolean isMeasured;

    private int untilProbe = FIRST_PROBE;
    private int probeEvery = FIRST_PROBE;

    /** A choice that starts from measured costs and the prior acceptance of the heads. */
    public AdaptiveTree(StepCosts measured) {
        this(measured, 1, TRIAL);
    }

    /**
     * @param doubt how much larger the variances of the costs are than those of measured ones
     * @param budget what guessing may lose at first, in plain steps; without any it rests at first
     */
    AdaptiveTree(StepCosts measured, double doubt, double budget) {
        this.budget = Math.max(0, budget);
        isResting = budget <= 0;
        double[] nanos = measured.nanos();
        int[] kept = IntStream.range(0, nanos.length)
                .filter(t -> nanos[t] < Double.POSITIVE_INFINITY)
                .toArray();
        trees = Arrays.stream(kept).mapToObj(measured.trees()::get).toList();
        Map<List<Integer>, Integer> placeOf = new HashMap<>();
        placeOf.put(List.of(), 0);
        measured.order().paths().forEach(path -> placeOf.put(path, placeOf.size()));
        places = trees.stream().map(tree -> places(tree, placeOf)).toArray(int[][]::new);
        parents = new int[placeOf.size()];
        placeOf.forEach(
                (path, place) -> parents[place] = path.isEmpty() ? 0 : placeOf.get(path.subList(0, path.size() - 1)));
        prior = measured.order().gains().stream()
                .mapToDouble(Double::doubleValue)
                .toArray();
        accepted = prior.clone();
        shares = new double[accepted.length];
        isKnown = new boolean[accepted.length];
        for (int i = 0; i < shares.length; i++) {
            shares[i] = prior[i] / Math.max(prior[parents[i]], RARE);
        }
        costs = new CostEstimate(
                trees, Arrays.stream(kept).mapToDouble(t -> nanos[t]).toArray(), doubt);
        expected = new double[trees.size()];
        expect();
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
        prior = before.prior;
        accepted = before.accepted.clone();
        shares = before.shares.clone();
        isKnown = before.isKnown.clone();
        reliability = before.reliability;
        costs = new CostEstimate(before.costs);
        expected = before.expected.clone();
        current = before.current;
        steps = before.steps;
        budget = before.budget;
        allowance = before.allowance;
        saved = before.saved;
        isResting = before.isResting;
        isMeasured = before.isMeasured;
        untilProbe = before.untilProbe;
        probeEvery = before.probeEvery;
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
            return; // cut short by the end of the context, without guesses, or nothing to choose from
        }
        times.add(nanos);
        if (times.isComparison()) {
            costs.compare(current, times.before(), times.ratio());
            periodLeft = 1;
        }
        if (current == 0) {
            double freed = FREED * saved;
            saved -= freed;
            budget = Math.min(MAX_BUDGET, budget + allowance + freed);
        } else {
            follow(step);
            untilProbe--;
            double gain = step.emitted() - costs.of(current);
            budget = Math.min(MAX_BUDGET, budget + gain);
            allowance = budget == MAX_BUDGET ? ALLOWANCE : allowance;
            saved = Math.min(MAX_SAVED, Math.max(0, saved + SAVED_SHARE * gain));
        }
        if (current != 0 && budget <= 0) {
            allowance = Math.max(LEAST_ALLOWANCE, allowance / 2);
            isResting = true;
            budget = 0;
            use(0);
        } else if (isResting ? budget >= TRIAL && times.isKnown() : --periodLeft <= 0) {
            choose();
        }
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
     * are expected to reach their prior acceptance about as well as the others do.
     */
    private void expect() {
        boolean[] isSeen = new boolean[accepted.length];
        double kept = 0;
        double due = 0;
        for (int place : places[current]) {
            isSeen[place] = true;
            isKnown[place] = true;
            kept += place == 0 ? 0 : accepted[place];
            due += place == 0 ? 0 : prior[place];
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
            expected[t] = 0;
            for (int place : places[t]) {
                expected[t] += accepted[place];
            }
        }
    }

    private void choose() {
        if (!isMeasured) {
            costs.observePlain(times.usual());
            isMeasured = true;
        }
        if (isResting) {
            expectAnew();
            isResting = false;
        } else {
            expect();
        }
        int best = best();
        if (best == current && untilProbe <= 0) {
            probeEvery = Math.min(LONGEST_PROBE, 2 * probeEvery);
            untilProbe = probeEvery;
            use(rate(best) < CLEAR ? 0 : best);
        } else {
            use(best);
        }
    }

    /** Expects something between what was observed last and the prior acceptance. */
    private void expectAnew() {
        steps = PRIOR_STEPS;
        untilProbe = FIRST_PROBE;
        probeEvery = FIRST_PROBE;
        for (int i = 1; i < accepted.length; i++) {
            accepted[i] = (accepted[i] + prior[i]) / 2;
            shares[i] = accepted[i] / Math.max(accepted[parents[i]], RARE);
        }
        expect();
    }

    private void use(int tree) {
        if (tree != current) {
            times.change(current);
            current = tree;
        }
        periodLeft = tree == 0 ? PLAIN_PERIOD : PERIOD;
    }

    private double rate(int t) {
        return expected[t] / costs.atLeast(t);
    }

    /** The tree of the best rate that guesses. */
    private int best() {
        int best = 1;
        double most = rate(best);
        for (int t = 2; t < trees.size(); t++) {
            double rate = rate(t);
            if (rate > most) {
                best = t;
                most = rate;
            }
        }
        return best;
    }

    /** What a step takes by so many times: caches are cold after a change, and others use the processor too. */
    static double lowerQuartile(double[] nanos, int count) {
        double[] sorted = Arrays.copyOf(nanos, count);
        Arrays.sort(sorted);
        return sorted[sorted.length / 4];
    }

    /** Times of the steps before and after a change of the tree. */
    private static final class PeriodTimes {
        private final double[] last = new double[PERIOD];
        private int count;
        private int before;
        /** What a step with the tree before took, in nanoseconds; 0 where that is not known. */
        private double nanosBefore;

        /** A change. The first step after it is left aside: it pays for the change. */
        void change(int tree) {
            nanosBefore = isKnown() ? usual() : 0;
            before = tree;
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

        /** Whether there are just times enough since the change to compare them with those before it. */
        boolean isComparison() {
            return count == PERIOD / 2 && nanosBefore > 0;
        }

        /** The tree before the change. */
        int before() {
            return before;
        }

        /** What a step takes ÷ what one took before the change. */
        double ratio() {
            return usual() / nanosBefore;
        }

        private double usual() {
            return lowerQuartile(last, Math.min(count, PERIOD));
        }
    }
}
