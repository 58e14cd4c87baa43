package io.hydra4j.tuning;

import io.hydra4j.decode.Step;
import io.hydra4j.decode.Tree;
import io.hydra4j.heads.TreeOrder;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.IntToDoubleFunction;

/**
 * Decoding without a model: heads that guess right as often as they are told to, and steps that take as long as they are
 * told to. Easy and hard passages of some tokens alternate by chance, as in real text.
 */
final class SimulatedText {
    private static final int HEADS = 4;

    private final StepCosts measured;
    private final double[] costs;
    private final IntToDoubleFunction topOne;
    private final double jitter;
    private final Random random;
    private final Map<Tree, Map<List<Integer>, Integer>> nodesOf = new IdentityHashMap<>();
    private int position;
    private double ease;
    private double restlessness;
    private IntToDoubleFunction found = position -> 1;
    private double speed = 1;
    private Tree before;
    private int sinceChange;

    /**
     * @param measured what was measured of the costs, with the heads' promise
     * @param costs the real time of a step with each tree
     * @param topOne by token position, how often the best candidate is right
     * @param jitter relative standard deviation of step times
     */
    SimulatedText(StepCosts measured, double[] costs, IntToDoubleFunction topOne, double jitter, long seed) {
        this.measured = measured;
        this.costs = costs;
        this.topOne = topOne;
        this.jitter = jitter;
        this.random = new Random(seed);
    }

    /**
     * Makes the machine one that others use too: now and then all steps take longer, by up to so much, or as long as before, and a
     * change of the tree finds caches cold.
     */
    SimulatedText onSharedMachine(double most) {
        restlessness = most;
        return this;
    }

    /** Makes the drafter one that has guesses for a part of the steps alone, by token position; the others are plain. */
    SimulatedText withGuessesFor(IntToDoubleFunction part) {
        found = part;
        return this;
    }

    private double nanos(int index) {
        Tree tree = measured.trees().get(index);
        sinceChange = tree == before ? sinceChange + 1 : 0;
        before = tree;
        double nanos = costs[index] * Math.max(0.7, 1 + jitter * random.nextGaussian());
        if (restlessness > 0) {
            speed = random.nextInt(40) == 0 ? 1 + restlessness * random.nextDouble() : speed;
            nanos *= speed * (1 + Math.pow(0.5, 1 + sinceChange));
        }
        return nanos * (random.nextInt(200) == 0 ? 3 : 1); // the operating system now and then takes the processor
    }

    /** The order of trees for heads that are right so often, with what its nodes add. */
    static TreeOrder order(double topOne) {
        RankSamples samples = new RankSamples();
        Random random = new Random(1);
        for (int i = 0; i < 200; i++) {
            int[][] ranks = new int[100][];
            for (int p = 0; p < ranks.length; p++) {
                ranks[p] = ranks(topOne, HEADS, random);
            }
            samples.add(ranks);
        }
        return TreeTuner.grow(samples, Tree.MAX_NODES);
    }

    private static int[] ranks(double topOne, int depth, Random random) {
        int[] ranks = new int[depth];
        for (int d = 0; d < depth; d++) {
            ranks[d] = rank(topOne * (d == 0 ? 1 : 0.92), random);
        }
        return ranks;
    }

    /** The best candidate with probability topOne; of the rest a third is lost, the others fall as rank^-1.7. */
    private static int rank(double topOne, Random random) {
        if (random.nextDouble() < topOne) {
            return 0;
        }
        if (random.nextDouble() < 0.33) {
            return Tree.MAX_RANKS;
        }
        return (int) Math.min(Tree.MAX_RANKS, Math.floor(Math.pow(1 - random.nextDouble(), -1 / 0.7)));
    }

    /** Time to decode so many tokens with trees that adapt. */
    double adaptive(int tokens) {
        return adaptive(new AdaptiveTree(measured), tokens);
    }

    /** Time to decode until there are so many tokens. */
    double adaptive(AdaptiveTree trees, int tokens) {
        double time = 0;
        while (position < tokens) {
            Step step = step(trees.tree());
            int index = step.nodes() == 1 ? 0 : measured.trees().indexOf(trees.tree());
            double nanos = nanos(index);
            trees.observe(step, (long) nanos);
            time += nanos;
        }
        return time;
    }

    /** As {@link #adaptive(AdaptiveTree, int)}, where the part of a step's time that is the draft's is known. */
    double adaptive(TreeChoice trees, double[] draftShares, int tokens) {
        double time = 0;
        while (position < tokens) {
            Step step = step(trees.tree());
            int index = step.nodes() == 1 ? 0 : measured.trees().indexOf(trees.tree());
            double nanos = nanos(index);
            trees.observe(step, (long) nanos, (long) (nanos * draftShares[index]));
            time += nanos;
        }
        return time;
    }

    /** Time to decode so many tokens with one of the trees. */
    double fixed(int index, int tokens) {
        double time = 0;
        while (position < tokens) {
            time += nanos(step(measured.trees().get(index)).nodes() == 1 ? 0 : index);
        }
        return time;
    }

    private Step step(Tree tree) {
        if (random.nextInt(8) == 0) {
            ease = 0.25 * (random.nextDouble() - 0.5);
        }
        double part = found.applyAsDouble(position);
        if (part < 1 && random.nextDouble() >= part) {
            position++;
            return new Step(new int[1], new int[1], 1);
        }
        double top = topOne.applyAsDouble(position);
        int depth = Math.max(HEADS, tree.depth());
        int[] ranks = ranks(top <= 0 ? 0 : Math.min(0.97, Math.max(0, top + ease)), depth, random);
        List<Integer> path = new ArrayList<>();
        List<Integer> nodes = new ArrayList<>(List.of(0));
        Map<List<Integer>, Integer> nodeOf = nodesOf.computeIfAbsent(tree, SimulatedText::nodes);
        for (int rank : ranks) {
            path.add(rank);
            Integer node = nodeOf.get(path);
            if (node == null) {
                break;
            }
            nodes.add(node);
        }
        position += nodes.size();
        return new Step(
                new int[nodes.size()],
                nodes.stream().mapToInt(Integer::intValue).toArray(),
                tree.nodes());
    }

    private static Map<List<Integer>, Integer> nodes(Tree tree) {
        Map<List<Integer>, Integer> nodes = new HashMap<>();
        tree.paths().forEach(path -> nodes.put(path, nodes.size() + 1));
        return nodes;
    }
}
