package io.hydra4j.golden;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.hydra4j.OpenOptions;
import io.hydra4j.decode.Tree;
import io.hydra4j.runtime.BackendKind;
import io.hydra4j.runtime.WeightType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.IntStream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Everything that the original code computes, on the CPU; and how it lays out trees. */
class HydraOriginalGoldenTest extends HydraOriginalGolden {
    @Override
    Loaded open(Path base, Path heads, WeightType type) {
        return Loaded.open(base, heads, type);
    }

    @Override
    OpenOptions options() {
        return OpenOptions.DEFAULT.withBackend(BackendKind.CPU).withThreads(1);
    }

    @Override
    <T> List<T> cases(List<T> all) {
        return all;
    }

    @Override
    int tokens() {
        return Integer.MAX_VALUE;
    }

    @ParameterizedTest
    @ValueSource(strings = {"hydra", "hydra-plus-plus", "hydra-ungrounded", "medusa"})
    void treesAreLaidOutAsTheOriginalCodeDoes(String heads) {
        Json golden = golden(heads);
        for (String name : golden.get("trees").names()) {
            Json expected = golden.get("trees").get(name);
            Tree tree = tree(golden, name);
            assertEquals(
                    expected.get("nodes").list().stream()
                            .skip(1)
                            .map(Json::integers)
                            .toList(),
                    tree.paths(),
                    name);
            assertArrayEquals(expected.get("position_offsets").ints(), tree.depths(), name);
            List<String> masks = Arrays.stream(ancestorMasks(tree))
                    .mapToObj(mask -> bits(mask, tree.nodes()))
                    .toList();
            assertEquals(
                    expected.get("attention_mask").list().stream()
                            .map(Json::text)
                            .toList(),
                    masks,
                    name);
            assertEquals(leafPaths(expected), leafPaths(tree), name);
        }
        assertEquals(Tree.DEFAULT, tree(golden, "default"));
    }

    /** The checkpoints that the original code has written, read instead of their safetensors. Tied blocks are one matrix there. */
    @ParameterizedTest
    @ValueSource(strings = {"hydra", "hydra-plus-plus", "hydra-ungrounded", "medusa"})
    void torchCheckpointsEmitWhatTheOriginalDoes(String heads, @TempDir Path folder) throws IOException {
        Path published = TestData.shared("golden/hydra-original/" + heads);
        String file = heads.equals("medusa") ? "medusa_lm_head" : "hydra_lm_head";
        Files.copy(published.resolve("config.json"), folder.resolve("config.json"));
        Files.copy(published.resolve(file + ".pt"), folder.resolve(file + ".pt"));
        try (Loaded torch = open(Original.base(), folder, null)) {
            assertSteps(torch, heads);
        }
    }

    /** For each node itself and its ancestors; bit i is node i. */
    private static long[] ancestorMasks(Tree tree) {
        long[] masks = new long[tree.nodes()];
        for (int i = 0; i < masks.length; i++) {
            masks[i] = (i == 0 ? 0 : masks[tree.parents()[i]]) | 1L << i;
        }
        return masks;
    }

    private static boolean isParent(Tree tree, int node) {
        return Arrays.stream(tree.parents()).anyMatch(parent -> parent == node);
    }

    private static String bits(long mask, int count) {
        return IntStream.range(0, count)
                .mapToObj(i -> (mask >>> i & 1) == 1 ? "1" : "0")
                .reduce("", String::concat);
    }

    private static Set<String> leafPaths(Json tree) {
        Set<String> paths = new TreeSet<>();
        for (Json row : tree.get("retrieve_indices").list()) {
            paths.add(row.integers().stream().filter(node -> node >= 0).toList().toString());
        }
        return paths;
    }

    private static Set<String> leafPaths(Tree tree) {
        Set<String> paths = new TreeSet<>();
        for (int leaf = 0; leaf < tree.nodes(); leaf++) {
            if (isParent(tree, leaf)) {
                continue;
            }
            List<Integer> path = new ArrayList<>();
            for (int node = leaf; node >= 0; node = tree.parents()[node]) {
                path.add(0, node);
            }
            paths.add(path.toString());
        }
        return paths;
    }
}
