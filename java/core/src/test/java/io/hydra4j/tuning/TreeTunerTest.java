package io.hydra4j.tuning;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.decode.Tree;
import io.hydra4j.heads.TeacherForcing;
import io.hydra4j.heads.TreeOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class TreeTunerTest {
    private static RankSamples samples(int[]... positions) {
        RankSamples samples = new RankSamples();
        for (int[] position : positions) {
            samples.add(new int[][] {position}); // of one position each: steps begin everywhere
        }
        return samples;
    }

    @Test
    void theNodesThatMostStepsAcceptComeFirst() {
        RankSamples samples = samples(
                new int[] {0, 0},
                new int[] {0, 0},
                new int[] {0, 3},
                new int[] {1, 2},
                new int[] {1, TeacherForcing.MISSED},
                new int[] {TeacherForcing.MISSED, 0});

        TreeOrder order = TreeTuner.grow(samples, 5);

        assertEquals(List.of(List.of(0), List.of(1), List.of(0, 0), List.of(0, 3)), order.paths());
        assertEquals(
                List.of(1.0, (double) (3 / 6f), (double) (2 / 6f), (double) (2 / 6f), (double) (1 / 6f)),
                order.gains());
    }

    @Test
    void nodesThatNoStepAcceptsAreLeftOut() {
        assertEquals(
                List.of(List.of(2)),
                TreeTuner.grow(samples(new int[] {2, TeacherForcing.MISSED}), 64)
                        .paths());
    }

    @Test
    void everyBeginningIsATree() {
        RankSamples samples = new RankSamples();
        Random random = new Random(1);
        for (int i = 0; i < 200; i++) {
            int[][] ranks = new int[100][4];
            for (int[] each : ranks) {
                // Some heads are right, the others' tokens have ranks that fall about as rank^-1.7.
                Arrays.setAll(each, d -> (int) Math.min(Tree.MAX_RANKS, Math.pow(random.nextDouble(), -1 / 0.7) - 1));
            }
            samples.add(ranks);
        }
        TreeOrder order = TreeTuner.grow(samples, Tree.MAX_NODES);
        assertEquals(TreeOrder.MAX_PATHS, order.paths().size());
        for (int count = 0; count <= order.paths().size(); count++) {
            assertEquals(count + 1, Tree.of(order.paths().subList(0, count)).nodes());
        }
    }

    @Test
    void gainsAddUpToTheAcceptanceLengthWhereStepsBeginEverywhere() {
        List<int[]> positions = new ArrayList<>();
        Random random = new Random(7);
        for (int i = 0; i < 500; i++) {
            positions.add(new int[] {random.nextInt(3), random.nextInt(3), random.nextInt(4)});
        }
        RankSamples samples = samples(positions.toArray(int[][]::new));
        TreeOrder order = TreeTuner.grow(samples, 20);
        double expected =
                order.gains().stream().mapToDouble(Double::doubleValue).sum();
        assertEquals(expected, samples.acceptanceLength(Tree.of(order.paths())), 1e-6);
    }

    @Test
    void noTreeOfThatSizeIsBetter() {
        List<int[]> positions = new ArrayList<>();
        Random random = new Random(3);
        for (int i = 0; i < 300; i++) {
            positions.add(new int[] {random.nextInt(1 + random.nextInt(3)), random.nextInt(1 + random.nextInt(2))});
        }
        RankSamples samples = samples(positions.toArray(int[][]::new));
        List<List<Integer>> all =
                List.of(List.of(0), List.of(1), List.of(2), List.of(0, 0), List.of(0, 1), List.of(1, 0), List.of(1, 1));
        double best = 0;
        for (int set = 0; set < 1 << all.size(); set++) {
            List<List<Integer>> paths = new ArrayList<>();
            for (int i = 0; i < all.size(); i++) {
                if ((set >> i & 1) == 1) {
                    paths.add(all.get(i));
                }
            }
            boolean isTree = paths.stream().allMatch(path -> path.size() == 1 || paths.contains(path.subList(0, 1)));
            if (paths.size() == 4 && isTree) {
                best = Math.max(best, samples.acceptanceLength(Tree.of(paths)));
            }
        }
        assertEquals(
                best,
                samples.acceptanceLength(Tree.of(TreeTuner.grow(samples, 5).paths())),
                1e-9);
    }

    @Test
    void acceptanceLengthIsThatOfStepAfterStep() {
        RankSamples samples = new RankSamples();
        samples.add(new int[][] {{0, 0}, {9, 9}, {9, 9}, {0, 5}, {1, 1}, {1, 0}});
        // Steps begin at 0 (3 tokens), 3 (2 tokens) and 5 (1 token).
        assertEquals(6 / 3.0, samples.acceptanceLength(Tree.chain(2)));
        assertEquals(1, samples.acceptanceLength(Tree.ROOT));
    }

    @Test
    void samplesWithoutPositionsGiveTheRootAlone() {
        RankSamples samples = new RankSamples();
        samples.add(new int[0][]);
        assertTrue(TreeTuner.grow(samples, 64).paths().isEmpty());
        assertEquals(0, samples.acceptanceLength(Tree.ROOT));
    }
}
