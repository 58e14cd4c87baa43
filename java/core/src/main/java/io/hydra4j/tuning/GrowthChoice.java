package io.hydra4j.tuning;

import io.hydra4j.decode.Step;
import io.hydra4j.decode.Tree;
import java.util.List;

/**
 * Chooses how dynamic trees grow by what steps cost and emit: with a lookup alone, which costs nothing where it finds nothing, or
 * with draft heads too, and with how many nodes. A node is worth its row where it is likelier to be right than what a row costs
 * in tokens at the present rate: those below are left out, so that the trees follow the text.
 *
 * <p>Ways take turns: the best so far decodes, another one is tried for a few steps now and then, the rarer the worse it was.
 * Steps of one way are compared with those of the other just before, as machines change their speed. Where a trial loses more than
 * it may, it ends. Not thread-safe.
 */
public final class GrowthChoice {
    /** Steps of a trial, and of the way in use before there is one. */
    static final int TRIAL = 8;

    static final int FIRST_TRIAL = 12;
    /** Steps until the next trial of a way that lost. */
    private static final int LONGEST_PAUSE = 1024;
    /** Steps between a trial that lost and the next one, at first. */
    private static final int FIRST_PAUSE = 96;
    /** Plain steps that a trial may lose. */
    private static final double MAX_LOSS = 1.5;
    /** A larger tree of heads is not tried where the smaller one was so much worse than the best way. */
    private static final double HOPELESS = 0.8;
    /** Steps at first that tell what a plain one takes. */
    private static final int PLAIN_STEPS = 3;
    /** By how much a way must be better to take the place of the one in use. */
    private static final double CLEARLY = 1.02;
    /** The share of a new observation of what a step takes. */
    private static final double NEWS = 1.0 / 16;
    /** Cost of a row, in plain steps, before any was measured, and the least and most that are believed. */
    private static final double ROW = 0.12;

    private static final double LEAST_ROW = 0.005;
    private static final double MOST_ROW = 1;
    /** Nodes are left out below a chance of this at most. */
    private static final double MOST_LEAST = 0.7;

    private final List<Tree> ways;
    /** {@code [way]}: tokens in the time of a plain step; 0 where it was never tried. */
    private final double[] rates;
    /** {@code [way]}: steps until it is tried again, and how long the pause was before. */
    private final int[] waiting;

    private final int[] pauses;

    private double plain;
    private int plainSteps;
    private double row;

    private int best;
    private int current;
    private int steps;
    private double tokens;
    private double nanos;

    /** @param heads whether there are draft heads beside the lookup */
    public GrowthChoice(boolean heads) {
        Tree alone = Tree.dynamic(24).withLevels(0);
        ways = heads ? List.of(alone, Tree.dynamic(8), Tree.dynamic(16)) : List.of(alone);
        rates = new double[ways.size()];
        waiting = new int[ways.size()];
        pauses = new int[ways.size()];
        for (int w = 1; w < ways.size(); w++) {
            waiting[w] = FIRST_TRIAL * w;
            pauses[w] = FIRST_PAUSE;
        }
    }

    private GrowthChoice(GrowthChoice before) {
        ways = before.ways;
        rates = before.rates.clone();
        waiting = before.waiting.clone();
        pauses = before.pauses.clone();
        plain = before.plain;
        plainSteps = before.plainSteps;
        row = before.row;
        best = before.best;
        current = before.best;
    }

    /** {@return a choice for another text, which goes on from where this one is} */
    public GrowthChoice next() {
        return new GrowthChoice(this);
    }

    /** {@return the tree for the next step} */
    public Tree tree() {
        if (plainSteps < PLAIN_STEPS) {
            return Tree.ROOT;
        }
        return ways.get(current).withLeast(least());
    }

    /** How likely a node must be right to be worth its row. */
    private double least() {
        double cost = row == 0 ? ROW : Math.max(LEAST_ROW, Math.min(MOST_ROW, row / plain));
        return Math.min(MOST_LEAST, cost * Math.max(1, rates[best]));
    }

    /**
     * Takes in what a step with {@link #tree} did.
     *
     * @param nanosOfStep its time
     * @param draft the part of it that went into the draft
     */
    public void observe(Step step, long nanosOfStep, long draft) {
        double rest = nanosOfStep - draft;
        if (step.nodes() == 1) {
            plain = plainSteps++ == 0 ? rest : plainSteps == PLAIN_STEPS ? Math.min(plain, rest) : follow(plain, rest);
        } else if (plain > 0) {
            row = follow(row, Math.max(0, rest - plain) / (step.nodes() - 1));
        }
        steps++;
        tokens += step.emitted();
        nanos += nanosOfStep;
        if (plainSteps < PLAIN_STEPS) {
            return;
        }
        boolean isTrial = current != best;
        boolean isLost = isTrial && nanos / plain * rates[best] - tokens > MAX_LOSS * rates[best];
        if (isLost || steps >= TRIAL) {
            end(isTrial);
        }
    }

    private static double follow(double mean, double value) {
        // A step that was interrupted says nothing.
        return mean == 0 ? value : mean + NEWS * (Math.min(value, 2 * mean) - mean);
    }

    /** The end of a few steps of one way. */
    private void end(boolean isTrial) {
        double found = tokens / (nanos / plain);
        rates[current] = rates[current] == 0 || isTrial ? found : rates[current] + (found - rates[current]) / 4;
        for (int w = 0; w < waiting.length; w++) {
            waiting[w] -= w == current ? 0 : steps;
        }
        steps = 0;
        tokens = 0;
        nanos = 0;
        if (isTrial) {
            if (found > CLEARLY * rates[best]) {
                pauses[best] = FIRST_PAUSE;
                waiting[best] = pauses[best];
                best = current;
            } else {
                pauses[current] = Math.min(LONGEST_PAUSE, 2 * pauses[current]);
                waiting[current] = pauses[current];
            }
            current = best;
            return;
        }
        giveUp();
        for (int w = 0; w < ways.size(); w++) {
            boolean isHopeless = w > 1 && rates[1] < HOPELESS * rates[best];
            if (w != best && waiting[w] <= 0 && !isHopeless) {
                current = w;
                return;
            }
        }
    }

    /** Takes another way where the best one has become worse than that was. */
    private void giveUp() {
        int other = 0;
        for (int w = 1; w < ways.size(); w++) {
            other = rates[w] > rates[other] ? w : other;
        }
        if (rates[other] > CLEARLY * rates[best]) {
            waiting[best] = pauses[best];
            best = other;
            current = other;
        }
    }
}
