package io.hydra4j.decode;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.decode.Tree.InvalidTreeException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.RepetitionInfo;
import org.junit.jupiter.api.Test;

class TreeTest {
    @Test
    void theRootAloneIsATreeOfOneNode() {
        assertEquals(1, Tree.ROOT.nodes());
        assertEquals(0, Tree.ROOT.depth());
        assertEquals(0, Tree.ROOT.candidates());
        assertArrayEquals(new int[] {-1}, Tree.ROOT.parents());
        assertEquals(List.of(), Tree.ROOT.paths());
    }

    @Test
    void nodesStandInOrderOfDepthAndThenOfPath() {
        Tree tree =
                Tree.of(List.of(List.of(2), List.of(0, 3), List.of(0), List.of(2, 1), List.of(0, 1), List.of(0, 3, 0)));
        assertEquals(
                List.of(List.of(0), List.of(2), List.of(0, 1), List.of(0, 3), List.of(2, 1), List.of(0, 3, 0)),
                tree.paths());
        assertArrayEquals(new int[] {-1, 0, 0, 1, 1, 2, 4}, tree.parents());
        assertArrayEquals(new int[] {0, 0, 2, 1, 3, 1, 0}, tree.ranks());
        assertArrayEquals(new int[] {0, 1, 1, 2, 2, 2, 3}, tree.depths());
        assertEquals(4, tree.candidates());
        assertEquals(3, tree.depth());
    }

    @RepeatedTest(50)
    void aRandomTreeIsTheSameInAnyOrderAndItsParentsAreThoseOfItsPaths(RepetitionInfo repetition) {
        Random random = new Random(repetition.getCurrentRepetition());
        List<List<Integer>> paths = randomPaths(random, 1 + random.nextInt(63));
        Tree tree = Tree.of(paths);
        Collections.shuffle(paths, random);
        assertEquals(tree, Tree.of(paths));
        assertEquals(paths.size() + 1, tree.nodes());
        List<List<Integer>> nodes = new ArrayList<>();
        nodes.add(List.of());
        nodes.addAll(tree.paths());
        for (int i = 0; i < nodes.size(); i++) {
            List<Integer> path = nodes.get(i);
            assertEquals(path.size(), tree.depths()[i]);
            if (i > 0) {
                assertEquals(path.subList(0, path.size() - 1), nodes.get(tree.parents()[i]));
                assertTrue(tree.parents()[i] < i);
                assertEquals(path.get(path.size() - 1), tree.ranks()[i]);
            }
        }
    }

    private static List<List<Integer>> randomPaths(Random random, int count) {
        List<List<Integer>> paths = new ArrayList<>();
        List<List<Integer>> parents = new ArrayList<>();
        parents.add(List.of());
        while (paths.size() < count) {
            List<Integer> path = new ArrayList<>(parents.get(random.nextInt(parents.size())));
            path.add(random.nextInt(Tree.MAX_RANKS));
            if (!paths.contains(path)) {
                paths.add(path);
                parents.add(path);
            }
        }
        return paths;
    }

    @Test
    void aChainIsADepthFirstLineOfBestGuesses() {
        Tree chain = Tree.chain(63);
        assertEquals(64, chain.nodes());
        assertEquals(63, chain.depth());
        assertEquals(1, chain.candidates());
        assertEquals(Tree.ROOT, Tree.chain(0));
    }

    @Test
    void everyBeginningOfThePublishedOrderIsATreeAndAllOfItIsTheDefault() {
        List<List<Integer>> published = Tree.published();
        for (int size = 0; size <= published.size(); size++) {
            assertEquals(size + 1, Tree.of(published.subList(0, size)).nodes());
        }
        assertEquals(Tree.DEFAULT, Tree.of(published));
        assertEquals(64, Tree.DEFAULT.nodes());
        assertEquals(4, Tree.DEFAULT.depth());
        assertEquals(10, Tree.DEFAULT.candidates());
    }

    @Test
    void aTruncatedTreeHasNoDeeperNodesAndAllOthers() {
        Tree two = Tree.DEFAULT.truncated(2);
        assertEquals(2, two.depth());
        assertEquals(
                Tree.DEFAULT.paths().stream().filter(path -> path.size() <= 2).toList(), two.paths());
        assertEquals(Tree.ROOT, Tree.DEFAULT.truncated(0));
        assertEquals(Tree.DEFAULT, Tree.DEFAULT.truncated(4));
    }

    @Test
    void equalTreesHaveEqualHashesAndOthersAreNotEqual() {
        assertEquals(Tree.chain(2), Tree.of(List.of(List.of(0, 0), List.of(0))));
        assertEquals(
                Tree.chain(2).hashCode(),
                Tree.of(List.of(List.of(0, 0), List.of(0))).hashCode());
        assertNotEquals(Tree.chain(2), Tree.chain(3));
    }

    @Test
    void changingWhatATreeGaveOutDoesNotChangeIt() {
        Tree tree = Tree.chain(2);
        tree.parents()[1] = 5;
        tree.ranks()[1] = 5;
        tree.depths()[1] = 5;
        assertArrayEquals(new int[] {-1, 0, 1}, tree.parents());
        assertArrayEquals(new int[] {0, 0, 0}, tree.ranks());
        assertArrayEquals(new int[] {0, 1, 2}, tree.depths());
        assertThrows(UnsupportedOperationException.class, () -> tree.paths().clear());
        List<Integer> path = new ArrayList<>(List.of(0));
        Tree made = Tree.of(List.of(path));
        path.set(0, 7);
        assertEquals(List.of(List.of(0)), made.paths());
    }

    @Test
    void setsOfPathsThatAreNoTreesAreRefusedWithTheirFault() {
        assertRefused("without its parent [0]", List.of(List.of(0, 0)));
        assertRefused("without its parent [0, 1]", List.of(List.of(0), List.of(0, 1, 0)));
        assertRefused("given twice", List.of(List.of(0), List.of(1), List.of(0)));
        assertRefused("empty path", List.of(List.of()));
        assertRefused("rank -1", List.of(List.of(-1)));
        assertRefused("rank 32", List.of(List.of(32)));
        assertRefused("rank null", List.of(Collections.singletonList(null)));
        assertRefused("more than 63", Collections.nCopies(64, List.of(0)));
        assertThrows(InvalidTreeException.class, () -> Tree.chain(64));
        assertThrows(InvalidTreeException.class, () -> Tree.chain(-1));
    }

    @Test
    void aPathThatIsFarTooLongIsNotShownInFull() {
        List<Integer> path = Collections.nCopies(30_000, 1);
        for (List<List<Integer>> paths : List.of(List.of(path), List.of(path, path))) {
            InvalidTreeException refused = assertThrows(InvalidTreeException.class, () -> Tree.of(paths));
            assertTrue(refused.getMessage().length() < 300, refused.getMessage());
            assertTrue(refused.getMessage().contains("[1, 1, 1, 1]... of 30000 ranks"), refused.getMessage());
        }
    }

    private static void assertRefused(String fault, List<List<Integer>> paths) {
        InvalidTreeException refused = assertThrows(InvalidTreeException.class, () -> Tree.of(paths));
        assertTrue(refused.getMessage().contains(fault), refused.getMessage());
    }
}
