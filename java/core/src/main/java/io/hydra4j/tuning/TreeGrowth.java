package io.hydra4j.tuning;

import io.hydra4j.decode.Tree;
import io.hydra4j.heads.DraftHeads;
import io.hydra4j.heads.HeadsConfig.Kind;
import io.hydra4j.heads.TreeOrder;
import java.util.ArrayList;
import java.util.List;

/**
 * The order in which trees grow for a set of heads. Heads that were converted with a text carry one that was measured on it; for
 * others the published order serves, with gains as such heads have them.
 */
final class TreeGrowth {
    private TreeGrowth() {}

    /** The order for these heads, no deeper than they reach. */
    static TreeOrder of(DraftHeads heads) {
        return heads.treeOrder()
                .orElseGet(() -> published(heads.config().kind()))
                .cut(heads.config().heads(), Tree.MAX_NODES - 1);
    }

    private static TreeOrder published(Kind kind) {
        double top =
                switch (kind) {
                    case MEDUSA -> 0.38;
                    case HYDRA -> 0.54;
                    case HYDRA_PLUS_PLUS -> 0.66;
                };
        List<List<Integer>> paths = Tree.published();
        List<Double> gains = new ArrayList<>(List.of(1.0));
        for (List<Integer> path : paths) {
            double gain = 1;
            for (int rank : path) {
                // The chances of candidates fall about as the square of their rank.
                gain *= rank == 0 ? top : 0.35 * (1 - top) / (rank * rank);
            }
            gains.add(gain);
        }
        return new TreeOrder(paths, gains);
    }
}
