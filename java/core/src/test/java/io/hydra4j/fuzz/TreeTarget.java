package io.hydra4j.fuzz;

import io.hydra4j.HydraException;
import io.hydra4j.decode.Tree;
import io.hydra4j.format.StrictJson;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/** Trees as lists of paths. */
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
        for (int i = random.nextInt(3); i > 0; i--) {
            List<Object> path = new ArrayList<>();
            for (int depth = random.nextInt(random.nextInt(8) == 0 ? 3000 : 5); depth >= 0; depth--) {
                path.add(Damage.number(random));
            }
            paths.add(random.nextInt(paths.size() + 1), path);
        }
        Files.write(folder.resolve("tree.json"), JsonDamage.bytes(random, JsonDamage.damaged(random, paths)));
    }

    @Override
    public void read(Path folder) throws IOException {
        Path file = folder.resolve("tree.json");
        String text = Files.readString(file, java.nio.charset.StandardCharsets.ISO_8859_1);
        if (StrictJson.value(file, "tree", text) instanceof List<?> list) {
            List<List<Integer>> paths = new ArrayList<>();
            for (Object path : list) {
                List<Integer> ranks = new ArrayList<>();
                if (path instanceof List<?> values) {
                    values.forEach(rank -> ranks.add(rank instanceof Long number ? number.intValue() : null));
                }
                paths.add(ranks);
            }
            try {
                Tree.of(paths);
            } catch (Tree.InvalidTreeException e) {
                throw new HydraException(file + ": " + e.getMessage(), e);
            }
        }
    }
}
