package io.hydra4j.tuning;

import java.util.Arrays;
import java.util.stream.IntStream;

/**
 * What passes cost by their rows, and drafts by their levels, as steps have shown it. Machines change their speed as others use them,
 * so costs are kept as multiples of one kind of pass, the first that was seen, and every step corrects how long that takes now: what
 * was seen long ago stays comparable with what is seen now. Steps that were interrupted say little: no observation is believed to be
 * far from what was expected, and of the first ones of a kind, which pay for what is done once, the least counts. What was not seen
 * for long is expected to cost no more than is usual. Not thread-safe.
 */
final class PassTimes {
    /** The most rows of each class of passes. */
    private static final int[] ROWS = {1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256};

    static final int MOST_ROWS = 256;
    /** What a row costs, as a part of a pass with one, before any other pass was seen. */
    private static final double ROW = 0.12;
    /** The share of a new observation of the speed, the least of one of a cost, and how far from expectation one is believed to be. */
    private static final double SPEED_NEWS = 1.0 / 8;

    private static final double NEWS = 1.0 / 16;
    /** The share of what is usual in a cost with every pass of another kind. */
    private static final double FORGOTTEN = 1.0 / 512;
    /** Passes after which what was seen of another kind before is not believed beside what is seen now. */
    private static final int OLD = 128;
    /** The first observations of a kind, of which the least counts. */
    private static final int FIRST = 4;
    /** Observations of a kind after which each one more has the least share. */
    private static final int KNOWN = 16;

    private static final double MOST = 1.5;

    /** {@code [class]} costs, mean rows, and how many were seen, of which no more are counted than {@link #KNOWN}. */
    private final double[] costs = new double[ROWS.length];

    private final double[] rows = new double[ROWS.length];
    private final int[] seen = new int[ROWS.length];
    /** {@code [class]} what a pass of a class that was seen costs: no more than one with more rows. */
    private final double[] least = new double[ROWS.length];
    /** {@code [class]} the last pass of the class, of all that were seen. */
    private final long[] last = new long[ROWS.length];

    private long passes;
    /** {@code [levels]} costs for one sequence, and how many were seen. */
    private final double[] drafts;

    private final int[] seenDrafts;
    /** The class whose cost is 1; -1 before any was seen. */
    private int unit = -1;
    /** Nanoseconds of a cost of 1 at present. */
    private double speed;

    /** @param levels the most of a draft */
    PassTimes(int levels) {
        drafts = new double[levels + 1];
        seenDrafts = new int[levels + 1];
    }

    /** @param levels the most of a draft; those beyond what was measured are not known */
    PassTimes(GrowthCosts measured, int levels) {
        this(levels);
        for (int i = 0; i < measured.rows().size(); i++) {
            int c = classOf((int) Math.ceil(measured.rows().get(i)));
            speed = i == 0 ? measured.passNanos().get(0) : speed;
            unit = i == 0 ? c : unit;
            rows[c] = measured.rows().get(i);
            costs[c] = measured.passNanos().get(i) / speed;
            seen[c] = FIRST;
        }
        for (int level = 1; level <= Math.min(levels, measured.draftNanos().size()); level++) {
            drafts[level] = measured.draftNanos().get(level - 1) / speed;
            seenDrafts[level] = FIRST;
        }
        settle();
    }

    PassTimes(PassTimes other) {
        this(other.drafts.length - 1);
        System.arraycopy(other.costs, 0, costs, 0, costs.length);
        System.arraycopy(other.rows, 0, rows, 0, rows.length);
        System.arraycopy(other.seen, 0, seen, 0, seen.length);
        System.arraycopy(other.drafts, 0, drafts, 0, drafts.length);
        System.arraycopy(other.seenDrafts, 0, seenDrafts, 0, drafts.length);
        System.arraycopy(other.last, 0, last, 0, last.length);
        passes = other.passes;
        unit = other.unit;
        speed = other.speed;
        settle();
    }

    /** Takes in a pass. */
    void pass(int count, double nanos) {
        int c = classOf(count);
        unit = unit < 0 ? c : unit;
        passes++;
        if (passes - last[c] > OLD && c != unit) {
            seen[c] = 0;
        }
        last[c] = passes;
        rows[c] += (count - rows[c]) * Math.max(NEWS, 1.0 / (seen[c] + 1));
        if (c == unit) {
            speed = seen[c] == 0
                    ? nanos
                    : seen[c] < FIRST ? Math.min(speed, nanos) : speed * toward(nanos / speed, SPEED_NEWS);
            costs[c] = 1;
        } else {
            speed *= seen[c] < FIRST ? 1 : toward(nanos / (speed * costs[c]), SPEED_NEWS);
            double proportion = rows[c] / rows[unit];
            double plausible = Math.max(Math.min(1, proportion), Math.min(Math.max(1, proportion), nanos / speed));
            costs[c] = followed(costs[c], seen[c], plausible);
        }
        seen[c] = Math.min(seen[c] + 1, KNOWN);
        for (int other = 0; other < ROWS.length; other++) {
            if (other != c && other != unit && seen[other] > 0) {
                double usual = usual(rows[other]);
                costs[other] *= usual < costs[other] ? Math.pow(usual / costs[other], FORGOTTEN) : 1;
            }
        }
        settle();
    }

    /** What classes cost, once something was seen. */
    private void settle() {
        double cost = Double.POSITIVE_INFINITY;
        for (int c = ROWS.length - 1; c >= 0; c--) {
            cost = seen[c] > 0 ? Math.min(cost, costs[c]) : cost;
            least[c] = cost;
        }
    }

    /** What a pass usually costs, as far as is known without any of its kind. */
    private double usual(double count) {
        return (1 + ROW * (count - 1)) / (1 + ROW * (rows[unit] - 1));
    }

    /** Takes in a draft of so many levels for so many sequences. */
    void draft(int levels, int sequences, double nanos) {
        double each = Math.min(levels, nanos / speed / share(sequences));
        drafts[levels] = followed(drafts[levels], seenDrafts[levels], each);
        seenDrafts[levels] = Math.min(seenDrafts[levels] + 1, KNOWN);
    }

    private static double followed(double cost, int seen, double found) {
        return seen == 0 ? found : seen < FIRST ? Math.min(cost, found) : cost * toward(found / cost, NEWS);
    }

    /** What something is multiplied by of which an observation is so many times what was expected. */
    private static double toward(double ratio, double weight) {
        return Math.pow(Math.max(1 / MOST, Math.min(MOST, ratio)), weight);
    }

    /** What the draft for several sequences takes more than that for one: about half of it is the reading of weights. */
    private static double share(int sequences) {
        return 0.5 + 0.5 * sequences;
    }

    private static int classOf(int count) {
        int place = Arrays.binarySearch(ROWS, count);
        return Math.min(ROWS.length - 1, place >= 0 ? place : -place - 1);
    }

    /** What was seen, of all kinds of passes and all levels that were. */
    GrowthCosts costs() {
        int[] known = IntStream.range(0, ROWS.length).filter(c -> seen[c] > 0).toArray();
        return new GrowthCosts(
                IntStream.of(known).mapToObj(c -> rows[c]).toList(),
                IntStream.of(known).mapToObj(c -> least[c] * speed).toList(),
                IntStream.range(1, drafts.length)
                        .takeWhile(level -> seenDrafts[level] > 0)
                        .mapToObj(level -> drafts[level] * speed)
                        .toList());
    }

    /** {@return nanoseconds of a cost of 1 at present} */
    double speed() {
        return speed;
    }

    /** Nanoseconds of a pass of so many rows at present. */
    double nanos(int count) {
        return at(count) * speed;
    }

    /** The most rows of a pass that was seen, at least 1. */
    double mostRows() {
        double most = 1;
        for (double each : rows) {
            most = Math.max(most, each);
        }
        return most;
    }

    /** What a pass of so many rows is expected to cost: more rows never less. */
    double at(double count) {
        double belowRows = 0;
        double below = 0;
        double slope = 0;
        for (int c = 0; c < ROWS.length; c++) {
            if (seen[c] == 0) {
                continue;
            }
            double cost = least[c];
            slope = belowRows > 0 ? (cost - below) / (rows[c] - belowRows) : cost * ROW / (1 + ROW * (rows[c] - 1));
            if (rows[c] >= count) {
                return cost - slope * (rows[c] - count);
            }
            belowRows = rows[c];
            below = cost;
        }
        return below + slope * (count - belowRows);
    }

    /** What another row costs, about so many. */
    double row(double count, int sequences) {
        double from = Math.max(sequences, count / 2);
        double to = from + Math.max(2, count);
        return (at(to) - at(from)) / (to - from);
    }

    /** What a draft of so many levels is expected to cost; where none was seen in proportion to the nearest that was. */
    double draft(int levels, int sequences) {
        for (int away = 0; levels > 0 && away < drafts.length; away++) {
            int nearest = levels - away > 0 && seenDrafts[levels - away] > 0 ? levels - away : levels + away;
            if (nearest < drafts.length && seenDrafts[nearest] > 0) {
                return drafts[nearest] * levels / nearest * share(sequences);
            }
        }
        return 0;
    }
}
