package io.hydra4j.tuning;

import io.hydra4j.decode.GrowthPolicy;
import java.util.Arrays;
import java.util.stream.IntStream;

/**
 * Chooses how dynamic trees grow by what steps cost and emit: step by step whether draft heads are worth their time, given what a
 * lookup has found for the same step at no cost, and down to which level; and for every node whether it is worth its row. A node is,
 * where it is likelier to be right than what a row costs in tokens at the present rate. So the rows of a pass go to the nodes of all
 * sequences that are likeliest to be accepted, as many as pay.
 *
 * <p>A step is worth its tokens less what its time is worth at the present rate. What heads bring beside a lookup is learned as what they
 * would bring alone, for the better the lookup's guesses are, the less is left for the heads. A way of drafting that seems worse than
 * the best one, drafting nothing too, is tried again for a few steps now and then, each time that it was worse after twice as many; a
 * credit of plain steps, which grows slowly and with what guessing gains, pays for what that loses. Not thread-safe.
 */
public final class GrowthChoice implements GrowthPolicy {
    /** Steps at first that tell what a plain one takes. The first ones pay for what is done once. */
    static final int PLAIN_STEPS = 6;
    /** Steps of a trial, and the plain steps that one may lose. */
    static final int TRIAL = 6;

    private static final double MAX_LOSS = 1.5;
    /** Steps from one trial of a way to the next at least, at first and at most. */
    private static final int PAUSE = 48;

    private static final int LONGEST_PAUSE = 8 * PAUSE;
    /** By how many plain steps a step with a draft must be worth more where it would be a cold one. */
    private static final double COLD_MARGIN = 0.1;
    /** Plain steps that may be lost at first, the most that may be saved, and what each step and each plain step gained add. */
    private static final double CREDIT = 2;

    private static final double MOST_CREDIT = 6;
    /** The most plain steps that may be owed: a trial may have been interrupted, which says nothing of what the next one loses. */
    private static final double MOST_DEBT = 4;

    private static final double INCOME = 0.01;
    private static final double SHARE = 0.03;
    /** What a trial of a way of which nothing is known is expected to lose, and the least that any is. */
    private static final double UNKNOWN = 0.5;

    private static final double LEAST_COST = 0.25;
    /** Steps, and guesses of a sequence, after which an observation counts a third. */
    private static final double RATE_MEMORY = 64;

    private static final double GAIN_MEMORY = 48;
    /** Nodes are left out below a chance of this at least, and never above that. */
    private static final double LEAST = 0.01;

    private static final double MOST_LEAST = 0.95;
    /** Steps without a draft whose states the next one takes in at next to no cost. */
    private static final int FEW = 4;
    /**
     * Steps with a draft after more without: they take in the states that those have left and bring the heads' weights into the cache,
     * and the first ones of all do what is done once. That is the price of a trial, and says nothing of what steps cost.
     */
    private static final int COLD = 2;
    /** How often a head is right at most, for an estimate of deeper levels. */
    private static final double MOST_RIGHT = 0.95;

    /** {@code [way]}: the levels that heads fill, none first. */
    private final int[] ways;

    private final PassTimes times;
    private final DraftExcess excess;
    /** One object of all choices that go back to the same beginning. */
    private final Object origin;
    /** {@code [way]}: what heads bring, as a weighted mean: sums of weight x tokens and of weight^2. */
    private final double[] brought;

    private final double[] weights;
    /** {@code [way]}: nodes that heads add for a sequence whose lookup finds nothing. */
    private final double[] nodes;
    /** {@code [way]}: the step of the last trial. */
    private final long[] tried;
    /** {@code [way]}: steps from there to the next one at least. */
    private final int[] pauses;

    private long steps;
    private int plainSteps;
    /** Means of all steps. */
    private double tokens;

    private double nanos;
    /** Mean rows of a pass. */
    private double rows;

    private double credit = CREDIT;
    private int trial;
    private int trialLeft;
    private double trialLoss;

    /** The last step with a draft, and how many there were since the last that came after many without. */
    private long drafted = -FEW - 1;

    private int draftsInARow;

    // Of the present step.
    private int way;
    /** Ways that have no more levels than there are in this step. */
    private int usable;

    private int sequences;
    private double[] promises = {};
    private double planted;
    /** What is left for the heads of all sequences together. */
    private double left;

    /** @param levels the most levels that draft heads can fill; 0 without heads */
    public GrowthChoice(int levels) {
        this(new PassTimes(levels), levels, new Object());
    }

    private GrowthChoice(PassTimes times, int levels, Object origin) {
        this.times = times;
        excess = new DraftExcess();
        this.origin = origin;
        ways = IntStream.of(0, 1, 2, levels)
                .filter(each -> each <= levels)
                .distinct()
                .toArray();
        brought = new double[ways.length];
        weights = new double[ways.length];
        nodes = new double[ways.length];
        tried = new long[ways.length];
        pauses = new int[ways.length];
        Arrays.fill(tried, -PAUSE);
        Arrays.fill(pauses, PAUSE);
    }

    /**
     * A choice that knows what passes and drafts cost.
     *
     * @param levels the most levels that draft heads can fill; 0 without heads
     */
    public GrowthChoice(GrowthCosts costs, int levels) {
        this(new PassTimes(costs, levels), levels, new Object());
        plainSteps = PLAIN_STEPS;
        tokens = 1;
        nanos = times.at(1);
        rows = 1;
    }

    private GrowthChoice(GrowthChoice before) {
        origin = before.origin;
        ways = before.ways;
        times = new PassTimes(before.times);
        excess = new DraftExcess(before.excess);
        brought = before.brought.clone();
        weights = before.weights.clone();
        nodes = before.nodes.clone();
        tried = before.tried.clone();
        pauses = before.pauses.clone();
        steps = before.steps;
        plainSteps = before.plainSteps;
        tokens = before.tokens;
        nanos = before.nanos;
        rows = before.rows;
        credit = before.credit;
        drafted = before.drafted;
        draftsInARow = before.draftsInARow;
    }

    /** {@return a choice for another text, which goes on from where this one is} */
    public GrowthChoice next() {
        return new GrowthChoice(this);
    }

    /** {@return whether both go back to the same beginning by {@link #next}} */
    public boolean continues(GrowthChoice other) {
        return origin == other.origin;
    }

    @Override
    public Growth choose(float[][] chances, int levels) {
        sequences = chances.length;
        if (plainSteps < PLAIN_STEPS) {
            way = 0;
            return new Growth(1, 0, 0);
        }
        usable = ways.length;
        while (ways[usable - 1] > levels) {
            usable--;
        }
        double least = least();
        int most = (int) Math.max(4, 2 * times.mostRows() / sequences);
        promises = new double[sequences];
        planted = 0;
        left = 0;
        for (int s = 0; s < sequences; s++) {
            double chance = 1;
            for (int i = 0; i < Math.min(chances[s].length, most - 1); i++) {
                chance *= chances[s][i];
                if (chance < least) {
                    break;
                }
                promises[s] += chance;
                planted++;
            }
            left += left(promises[s]);
        }
        int best = best();
        if (trialLeft == 0) {
            begin(best);
        }
        way = trialLeft > 0 && trial < usable && isOpen() ? trial : best;
        // Growing takes time of its own.
        return ways[way] == 0 && planted == 0 ? new Growth(1, 0, 0) : new Growth(most, least, ways[way]);
    }

    /** How likely a node must be right to be worth its row. */
    private double least() {
        double cost = times.row(Math.max(sequences, rows), sequences) * rate();
        return Math.max(LEAST, Math.min(MOST_LEAST, cost));
    }

    /** Tokens in a nanosecond. */
    private double rate() {
        return tokens / nanos;
    }

    /** What is left for the heads of a sequence, of what they would bring alone. */
    private static double left(double promise) {
        return 1 / (1 + promise);
    }

    /** Whether the lookup has left enough to the heads to see what they are worth. */
    private boolean isOpen() {
        return 2 * left >= sequences;
    }

    /** Tokens that heads bring a sequence for which the lookup finds nothing. */
    private double brings(int w) {
        if (w < 2) {
            return weights[w] > 0 ? brought[w] / weights[w] : 0;
        }
        // Until more is known, as if each level were right as often as with fewer of them.
        double fewer = Math.max(0, brings(w - 1));
        double each = ways[w - 1] == 2 ? (Math.sqrt(1 + 4 * fewer) - 1) / 2 : fewer;
        each = Math.min(MOST_RIGHT, each);
        double sum = 0;
        for (int level = 0; level < ways[w]; level++) {
            sum = each * (1 + sum);
        }
        double weight = TRIAL / GAIN_MEMORY;
        return (brought[w] + weight * sum) / (weights[w] + weight);
    }

    /** Whether anything is known of a way, or of one with fewer levels. */
    private boolean isKnown(int w) {
        return w == 0 || weights[w] > 0 || isKnown(w - 1) && w > 1;
    }

    /** Tokens that a step is worth, less those of its time. */
    private double worth(int w) {
        double open = w == 0 ? 0 : left;
        double emitted = open * brings(w);
        return emitted - rate() * excess.of(w > 0, parts(sequences + planted + open * nodesOf(w), w));
    }

    /** The cost of a pass of so many rows, and that of a way's draft. */
    private double parts(double count, int w) {
        return times.at(count) + times.draft(ways[w], sequences);
    }

    private double nodesOf(int w) {
        int known = w;
        while (known > 0 && nodes[known] == 0) {
            known--;
        }
        return nodes[w] > 0 ? nodes[w] : ways[w] * (known == 0 ? 2 : nodes[known] / ways[known]);
    }

    private int best() {
        int best = 0;
        double most = worth(0);
        double margin = steps - drafted > FEW ? COLD_MARGIN * times.at(sequences) * rate() : 0;
        for (int w = 1; w < usable; w++) {
            double worth = weights[w] > 0 ? worth(w) - margin : Double.NEGATIVE_INFINITY;
            if (worth > most) {
                most = worth;
                best = w;
            }
        }
        return best;
    }

    /** Begins a trial of another way, where there is credit for what it may lose. */
    private void begin(int best) {
        if (!isOpen()) {
            return;
        }
        double plain = times.at(sequences) * rate();
        int next = -1;
        for (int w = 0; w < usable; w++) {
            boolean isOlder = next < 0 || tried[w] < tried[next] || tried[w] == tried[next] && ways[w] == 2;
            next = w != best && steps - tried[w] >= pauses[w] && isOlder ? w : next;
        }
        if (next < 0) {
            return;
        }
        double each = (worth(best) - worth(next)) / plain;
        double cost = isKnown(next) ? Math.min(TRIAL * each, MAX_LOSS + each) : UNKNOWN * Math.max(1, ways[next] - 1);
        if (credit >= Math.max(LEAST_COST, Math.min(MOST_CREDIT, cost))) {
            trial = next;
            excess.begin(next > 0);
            trialLeft = TRIAL;
            tried[next] = steps;
            trialLoss = 0;
        }
    }

    @Override
    public void observe(int[] emitted, int count, long time, long draft) {
        int all = 0;
        for (int tokens : emitted) {
            all += tokens;
        }
        steps++;
        boolean isCold;
        if (way > 0) {
            draftsInARow = steps - drafted > FEW ? 1 : Math.min(draftsInARow + 1, COLD + 1);
            drafted = steps;
            isCold = draftsInARow <= COLD;
        } else {
            tried[0] = steps;
            isCold = steps - drafted <= COLD;
        }
        if (way == 0 || !isCold) {
            times.pass(count, Math.max(1, time - draft));
        }
        if (way > 0 && !isCold) {
            times.draft(ways[way], sequences, Math.max(1, draft));
        }
        double parts = parts(count, way);
        if (planted == 0 && !isCold) {
            excess.note(way > 0, time / parts);
        }
        // What it usually takes: it may have been interrupted.
        double own = excess.of(way > 0, parts);
        double news = plainSteps < PLAIN_STEPS ? 1 : Math.max(1 / RATE_MEMORY, 1.0 / steps);
        tokens += news * (all - tokens);
        nanos += news * (own - nanos);
        rows += news * (count - rows);
        if (plainSteps < PLAIN_STEPS) {
            plainSteps++;
            return;
        }
        follow(emitted, count);
        double plain = times.at(sequences);
        double gained = (double) all / sequences - own / plain;
        credit = Math.min(MOST_CREDIT, credit + INCOME + SHARE * Math.max(0, gained));
        if (trialLeft > 0 && way == trial) {
            if (isCold) {
                double usual = times.draft(ways[way], sequences);
                double lost = (draft / times.speed() - usual) / plain;
                // The first ones of all do what is done once, which is no loss of the trial.
                pay(usual == 0 ? Math.min(MAX_LOSS, lost) : lost);
            } else {
                tryOn(all, own, plain);
            }
        }
    }

    private void pay(double lost) {
        credit = Math.max(Math.min(credit, -MOST_DEBT), credit - Math.max(0, lost));
    }

    /** Follows what heads have brought. */
    private void follow(int[] emitted, int count) {
        if (way == 0) {
            return;
        }
        for (int s = 0; s < sequences; s++) {
            double weight = left(promises[s]);
            double extra = emitted[s] - 1 - promises[s];
            // With fewer levels no more would have been right than there are.
            for (int w = 1; w <= way; w++) {
                brought[w] += (weight * Math.min(extra, ways[w]) - brought[w]) / GAIN_MEMORY;
                weights[w] += (weight * weight - weights[w]) / GAIN_MEMORY;
            }
        }
        double added = Math.max(0, count - sequences - planted) / left;
        nodes[way] += (added - nodes[way]) / (nodes[way] == 0 ? 1 : GAIN_MEMORY / 4);
    }

    private void tryOn(int emitted, double own, double plain) {
        trialLoss += (own - emitted / rate()) / plain;
        trialLeft--;
        if (trialLoss > MAX_LOSS) {
            trialLeft = 0;
        }
        if (trialLeft == 0) {
            excess.compare();
            pay(trialLoss);
            pauses[way] = way == best() ? PAUSE : Math.min(2 * pauses[way], LONGEST_PAUSE);
        }
    }
}
