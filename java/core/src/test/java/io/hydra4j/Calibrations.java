package io.hydra4j;

import io.hydra4j.decode.Step;
import io.hydra4j.decode.Tree;
import io.hydra4j.tuning.TreeChoice;
import java.util.stream.IntStream;

/** Calibrations in use, without a model. */
public final class Calibrations {
    private static final int STEPS = 300;

    private Calibrations() {}

    /** Chooses trees by a calibration, for steps of which every other one accepts all that it guesses on the first path. */
    public static void use(Calibration calibration) {
        TreeChoice choice = TreeChoice.of(calibration.costs());
        for (int i = 0; i < STEPS; i++) {
            Tree tree = choice.tree();
            int[] path = i % 2 == 0
                    ? new int[1]
                    : IntStream.rangeClosed(0, tree.depth())
                            .map(depth -> first(tree, depth))
                            .toArray();
            choice.observe(new Step(new int[path.length], path, tree.nodes()), 1000L * tree.nodes(), 0);
        }
    }

    /** The first node of a depth; in a tree these need not be each other's parents, which does not matter here. */
    private static int first(Tree tree, int depth) {
        int[] depths = tree.depths();
        return IntStream.range(0, depths.length)
                .filter(node -> depths[node] == depth)
                .findFirst()
                .orElseThrow();
    }
}
