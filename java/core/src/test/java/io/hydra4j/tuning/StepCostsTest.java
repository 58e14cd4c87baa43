package io.hydra4j.tuning;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.decode.Tree;
import io.hydra4j.golden.Loaded;
import io.hydra4j.golden.Original;
import io.hydra4j.heads.TreeOrder;
import io.hydra4j.runtime.WeightType;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class StepCostsTest {
    private static void assertGrows(StepCosts costs) {
        assertEquals(costs.trees().size(), costs.nanos().length);
        assertEquals(Tree.ROOT, costs.trees().get(0));
        assertTrue(costs.nanos()[0] > 0);
        for (int t = 1; t < costs.trees().size(); t++) {
            Tree tree = costs.trees().get(t);
            for (int u = 1; u < t; u++) {
                Tree smaller = costs.trees().get(u);
                if (smaller.depth() == tree.depth()) {
                    assertTrue(tree.paths().containsAll(smaller.paths()));
                    assertTrue(costs.nanos()[t] >= costs.nanos()[u]);
                }
            }
            assertTrue(costs.nanos()[t] >= costs.nanos()[0]);
            assertTrue(tree.candidates() <= costs.candidates());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"hydra-ungrounded", "hydra", "hydra-plus-plus"})
    void largerTreesHoldSmallerOnesAndCostNoLess(String heads) {
        try (Loaded loaded = Loaded.open(Original.base(), Original.heads(heads), null)) {
            StepCosts costs = StepCosts.measure(loaded.base(), loaded.heads());
            assertGrows(costs);
            assertTrue(costs.trees().size() > 2);
            for (int depth = 1; depth <= loaded.heads().config().heads(); depth++) {
                int smallest = depth;
                int t = IntStream.range(0, costs.trees().size())
                        .filter(i -> costs.trees().get(i).depth() == smallest)
                        .findFirst()
                        .orElseThrow();
                assertTrue(costs.nanos()[t] <= (depth + 1) * costs.nanos()[0], "depth " + depth);
            }
        }
    }

    @Test
    void withoutHeadsThereIsOnlyThePlainStep() {
        try (Loaded loaded = Loaded.open(Original.base(), null, WeightType.F32)) {
            StepCosts costs = StepCosts.measure(loaded.base(), null);
            assertGrows(costs);
            assertEquals(List.of(Tree.ROOT), costs.trees());
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 8, 40})
    void aShortContextIsEnough(int context, @TempDir Path folder) throws IOException {
        Path base = Original.variant(folder, List.of(257), context);
        try (Loaded loaded = Loaded.open(base, Original.heads("hydra-plus-plus"), WeightType.F32)) {
            assertGrows(StepCosts.measure(loaded.base(), loaded.heads()));
        }
    }

    @Test
    void anOrderWithFewPathsGivesFewTrees() {
        TreeOrder order = new TreeOrder(List.of(List.of(0), List.of(1)), List.of(1.0, 0.5, 0.25));
        assertEquals(
                List.of(1, 2, 3),
                StepCosts.trees(order).stream().map(Tree::nodes).toList());
        StepCosts costs = StepCosts.of(order, new double[] {10, 13, 15});
        StepCosts again = StepCosts.of(order, new double[] {11, 12, Double.POSITIVE_INFINITY});
        assertArrayEquals(new double[] {10, 12, 15}, costs.least(again).nanos());
    }

    @Test
    void treesAreOfEverySizeAndDepth() {
        TreeOrder order = new TreeOrder(
                List.of(List.of(0), List.of(0, 0), List.of(1), List.of(1, 0)), List.of(1.0, 0.5, 0.25, 0.2, 0.1));
        assertEquals(
                List.of(
                        Tree.ROOT,
                        Tree.of(List.of(List.of(0))),
                        Tree.of(List.of(List.of(0), List.of(1))),
                        Tree.of(order.paths().subList(0, 2)),
                        Tree.of(order.paths().subList(0, 3)),
                        Tree.of(order.paths())),
                StepCosts.trees(order));
    }
}
