package io.hydra4j.benchmarks;

import io.hydra4j.GenerationOptions;
import io.hydra4j.HydraException;
import io.hydra4j.HydraModel;
import io.hydra4j.TreeFile;
import io.hydra4j.decode.Tree;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * Trees by name: {@code default} (the published one), {@code tuned} (the fastest beginning of the heads' growth order on prompts
 * of its own), {@code nodes:N} (the first N nodes of that order), {@code chain:N}, or a file that {@link TreeFile} reads.
 */
final class Trees {
    /** The name of the tree that {@link #tuned} finds. */
    static final String TUNED = "tuned";

    private static final List<Integer> SIZES = List.of(3, 4, 6, 8, 12, 16, 24, 32, 48, 64);
    private static final String NODES = "nodes:";
    private static final String CHAIN = "chain:";

    private Trees() {}

    /**
     * Finds a tree for a model's heads.
     *
     * @param calibration prompts to tune with; no others are measured with them
     * @return null for those of {@link Variant#CHOSEN}
     * @throws HydraException if the name means nothing or the tree does not fit the heads
     */
    static Tree resolve(String name, HydraModel model, List<int[]> calibration, int maxTokens) {
        if (Variant.CHOSEN.containsKey(name)) {
            return null;
        }
        if (name.equals("default")) {
            return model.tree();
        }
        if (name.equals(TUNED)) {
            return tuned(model, calibration, maxTokens);
        }
        if (name.startsWith(NODES)) {
            return model.tree(number(name, NODES));
        }
        if (name.startsWith(CHAIN)) {
            return Tree.chain(number(name, CHAIN));
        }
        if (Files.isRegularFile(Path.of(name))) {
            return TreeFile.read(Path.of(name));
        }
        throw new HydraException(
                "no tree is called '" + name
                        + "' and there is no such file: choose of default, tuned, auto, auto-heads, auto-lookup, nodes:N, chain:N, FILE");
    }

    /** Decodes every prompt with trees of each size in turn; the one that took the least time. */
    private static Tree tuned(HydraModel model, List<int[]> calibration, int maxTokens) {
        List<Tree> trees = SIZES.stream().map(model::tree).distinct().toList();
        long[] nanos = new long[trees.size()];
        for (int[] prompt : calibration) {
            for (int t = 0; t < nanos.length; t++) {
                GenerationOptions options =
                        GenerationOptions.DEFAULT.withTree(trees.get(t)).withMaxTokens(maxTokens);
                nanos[t] += model.generate(prompt, options).decodeNanos();
            }
        }
        int best = 0;
        for (int t = 1; t < nanos.length; t++) {
            best = nanos[t] < nanos[best] ? t : best;
        }
        return trees.get(best);
    }

    private static int number(String name, String prefix) {
        try {
            return Integer.parseInt(name.substring(prefix.length()));
        } catch (NumberFormatException e) {
            throw new HydraException("tree '" + name + "': after " + prefix + " comes a number", e);
        }
    }
}
