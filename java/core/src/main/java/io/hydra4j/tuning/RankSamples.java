package io.hydra4j.tuning;

import io.hydra4j.decode.Tree;
import io.hydra4j.heads.TeacherForcing;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.IntPredicate;

/**
 * What draft heads would have guessed along greedy continuations: for every position the ranks of the tokens that really
 * follow. This is all that acceptance depends on, so any tree can be judged by it without decoding again. Not thread-safe.
 */
public final class RankSamples {
    /** {@code [continuation][position][depth - 1]}: rank at that depth, given those above. */
    private final List<int[][]> continuations = new ArrayList<>();

    /** No samples yet. */
    public RankSamples() {}

    /**
     * Adds a continuation.
     *
     * @param ranks {@code [position][head]} as {@link TeacherForcing#ranks} gives them, positions in order
     */
    public void add(int[][] ranks) {
        continuations.add(ranks);
    }

    /** The continuations whose number is chosen, as samples of their own. */
    public RankSamples where(IntPredicate chosen) {
        RankSamples part = new RankSamples();
        for (int i = 0; i < continuations.size(); i++) {
            if (chosen.test(i)) {
                part.add(continuations.get(i));
            }
        }
        return part;
    }

    /** Two parts that have nothing in common: every other continuation each, or where there is one alone, its beginning and its end. */
    public List<RankSamples> halves() {
        List<int[][]> all =
                continuations.stream().filter(ranks -> ranks.length > 0).toList();
        if (all.size() == 1) {
            int[][] ranks = all.get(0);
            int middle = ranks.length / 2;
            all = List.of(Arrays.copyOf(ranks, middle), Arrays.copyOfRange(ranks, middle, ranks.length));
        }
        List<RankSamples> halves = List.of(new RankSamples(), new RankSamples());
        for (int i = 0; i < all.size(); i++) {
            halves.get(i % 2).add(all.get(i));
        }
        return halves;
    }

    /** {@code [position][depth - 1]} of each continuation. */
    List<int[][]> continuations() {
        return continuations;
    }

    /** Tokens per step, the root included, if all continuations are decoded with this tree; 0 without samples. */
    public double acceptanceLength(Tree tree) {
        Set<List<Integer>> paths = new HashSet<>(tree.paths());
        long tokens = 0;
        long steps = 0;
        for (int[][] ranks : continuations) {
            for (int p = 0; p < ranks.length; steps++) {
                int emitted = emitted(paths, ranks[p]);
                tokens += emitted;
                p += emitted;
            }
        }
        return steps == 0 ? 0 : (double) tokens / steps;
    }

    /**
     * How often the token that follows is among a head's best.
     *
     * @param level the head, from 0 on
     * @return {@code [best]}: over all positions, how often it is among the best 1, 2, ...; 0 without samples
     */
    public double[] accuracies(int level, int best) {
        double[] found = new double[best];
        long positions = 0;
        for (int[][] ranks : continuations) {
            positions += ranks.length;
            for (int[] rank : ranks) {
                for (int k = rank[level]; k < best; k++) {
                    found[k]++;
                }
            }
        }
        for (int k = 0; k < best && positions > 0; k++) {
            found[k] /= positions;
        }
        return found;
    }

    /** Tokens that a step emits at a position with these ranks. */
    static int emitted(Set<List<Integer>> paths, int[] ranks) {
        List<Integer> path = new ArrayList<>();
        for (int rank : ranks) {
            path.add(rank);
            if (!paths.contains(path)) {
                return path.size();
            }
        }
        return ranks.length + 1;
    }
}
