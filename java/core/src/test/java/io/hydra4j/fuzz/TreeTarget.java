package io.hydra4j.fuzz;

import io.hydra4j.TreeFile;
import io.hydra4j.decode.Tree;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;

/** Trees as lists of paths, and as tune-tree writes them. */
final class TreeTarget implements FuzzTarget {
    @Override
    public String name() {
        return "tree";
    }

    @Override
    public void write(Random random, Path folder) throws IOException {
        List<Object> paths = new ArrayList<>();
        for (List<Integer> path : Tree.published().subList(0, random.nextInt(63))) {
            List<Object> ranks = new ArrayList<>();
            path.forEach(rank -> ranks.add((long) rank));
            paths.add(ranks);
        }
        Object tree = random.nextInt(2) == 0 ? paths : tuned(paths);
        // A tree that has no damage but what its text gets may be sound.
        boolean isDamaged = random.nextInt(3) > 0;
        for (int i = isDamaged ? random.nextInt(3) : 0; i > 0; i--) {
            List<Object> path = new ArrayList<>();
            for (int depth = random.nextInt(random.nextInt(8) == 0 ? 3000 : 5); depth >= 0; depth--) {
                path.add(Damage.number(random));
            }
            paths.add(random.nextInt(paths.size() + 1), path);
        }
        Files.write(
                folder.resolve("tree.json"),
                JsonDamage.bytes(random, isDamaged ? JsonDamage.damaged(random, tree) : tree));
    }

    private static Map<String, Object> tuned(List<Object> paths) {
        List<Object> gains = new ArrayList<>(List.of(1.0));
        paths.forEach(path -> gains.add(0.5));
        int depth =
                paths.stream().mapToInt(path -> ((List<?>) path).size()).max().orElse(0);
        Map<String, Object> chosen = new LinkedHashMap<>();
        chosen.put("nodes", paths.size() + 1L);
        chosen.put("depth", (long) depth);
        chosen.put("acceptance_length", 2.5);
        chosen.put("tuning_acceptance_length", 2.6);
        chosen.put("step_ns", 1e6);
        Map<String, Object> measured = new LinkedHashMap<>();
        chosen.forEach((name, value) -> measured.put(name, new ArrayList<>(List.of(value))));
        Map<String, Object> facts = new LinkedHashMap<>();
        facts.put("backend", "CPU");
        Map<String, Object> tree = new LinkedHashMap<>();
        tree.put("version", 1L);
        tree.put("tree_paths", paths);
        tree.put("tree_gains", gains);
        tree.put("chosen", chosen);
        tree.put("measured", measured);
        tree.put("tuning_tokens", 100L);
        tree.put("held_out_tokens", 100L);
        tree.put("facts", facts);
        return tree;
    }

    @Override
    public void read(Path folder) {
        TreeFile.read(folder.resolve("tree.json"));
    }
}
