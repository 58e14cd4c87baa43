package io.hydra4j.tuning;

import io.hydra4j.decode.Tree;
import io.hydra4j.heads.TreeOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.Set;

/**
 * Grows trees that fit a text: from the root on, it adds the node that the largest number of steps would accept, as measured
 * along greedy continuations, without the assumption that depths are independent (Hydra, arXiv 2402.05109).
 * No node is accepted more often than its parent, so what this finds is the best tree of every size.
 *
 * <p>Steps do not begin everywhere equally often: they leap over what is easy to guess. So positions are weighed by how often
 * steps begin there, with a tree of {@link #TYPICAL_NODES} nodes that was grown without weights.
 */
public final class TreeTuner {
    private static final int TYPICAL_NODES = 16;

    private TreeTuner() {}

    /**
     * The order in which to grow trees for these samples, with what each node adds to a step.
     *
     * @param nodes nodes of the largest tree, the root included, 1 to {@link Tree#MAX_NODES}; nodes that no step would accept
     *     are left out
     */
    public static TreeOrder grow(RankSamples samples, int nodes) {
        List<double[]> weights = new ArrayList<>();
        for (int[][] ranks : samples.continuations()) {
            double[] even = new double[ranks.length];
            Arrays.fill(even, 1);
            weights.add(even);
        }
        TreeOrder first = grow(samples, weights, Math.min(nodes, TYPICAL_NODES));
        return grow(samples, beginnings(samples, Tree.of(first.paths())), nodes);
    }

    /** How often a step begins at each position, over all places where the first step may begin. */
    private static List<double[]> beginnings(RankSamples samples, Tree tree) {
        Set<List<Integer>> paths = new HashSet<>(tree.paths());
        List<double[]> all = new ArrayList<>();
        for (int[][] ranks : samples.continuations()) {
            double[] begins = new double[ranks.length];
            int starts = Math.min(tree.depth() + 1, ranks.length);
            for (int p = 0; p < ranks.length; p++) {
                begins[p] += p < starts ? 1.0 / starts : 0;
                int next = p + RankSamples.emitted(paths, ranks[p]);
                if (next < ranks.length) {
                    begins[next] += begins[p];
                }
            }
            all.add(begins);
        }
        return all;
    }

    private static TreeOrder grow(RankSamples samples, List<double[]> weights, int nodes) {
        Map<List<Integer>, Double> accepted = new HashMap<>();
        double total = 0;
        for (int c = 0; c < weights.size(); c++) {
            int[][] ranks = samples.continuations().get(c);
            for (int p = 0; p < ranks.length; p++) {
                double weight = weights.get(c)[p];
                total += weight;
                count(accepted, ranks[p], weight);
            }
        }
        return take(accepted, total, nodes);
    }

    /** Adds a position to every path that it accepts. */
    private static void count(Map<List<Integer>, Double> accepted, int[] ranks, double weight) {
        List<Integer> path = new ArrayList<>();
        for (int rank : ranks) {
            if (rank >= Tree.MAX_RANKS) {
                return;
            }
            path.add(rank);
            accepted.merge(List.copyOf(path), weight, Double::sum);
        }
    }

    private static TreeOrder take(Map<List<Integer>, Double> accepted, double total, int nodes) {
        // Among equals the shallower, then the better candidates, so that equal samples give equal trees.
        Comparator<Map.Entry<List<Integer>, Double>> best = Map.Entry.comparingByValue(Comparator.reverseOrder());
        PriorityQueue<Map.Entry<List<Integer>, Double>> queue =
                new PriorityQueue<>(best.thenComparing(Map.Entry::getKey, Tree::compare));
        queue.addAll(accepted.entrySet());
        List<List<Integer>> paths = new ArrayList<>();
        List<Double> gains = new ArrayList<>(List.of(1.0));
        while (paths.size() < nodes - 1 && !queue.isEmpty() && queue.peek().getValue() > 0) {
            var next = queue.poll();
            paths.add(next.getKey());
            gains.add((double) (float) Math.min(1, next.getValue() / total));
        }
        return new TreeOrder(paths, gains);
    }
}
