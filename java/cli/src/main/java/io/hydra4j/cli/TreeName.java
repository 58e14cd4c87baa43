package io.hydra4j.cli;

import io.hydra4j.FormatException;
import io.hydra4j.HydraException;
import io.hydra4j.decode.Tree;
import io.hydra4j.decode.Tree.InvalidTreeException;
import io.hydra4j.format.StrictJson;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** What {@code --tree} can be: {@code default}, {@code chain:N}, or a file with a JSON list of paths. */
final class TreeName {
    /** The published tree, cut to the heads' depth. */
    static final String DEFAULT = "default";

    private static final String CHAIN = "chain:";

    private TreeName() {}

    /**
     * The tree of a name.
     *
     * @param name null for none
     * @return null for none and for {@link #DEFAULT}, whose depth only the heads know
     * @throws UsageException if a chain has no length, or none that is possible
     * @throws HydraException if the file cannot be read, or its paths are no tree
     */
    static Tree read(String name, Console console) {
        if (name == null || name.equals(DEFAULT)) {
            return null;
        }
        return name.startsWith(CHAIN) ? chain(name.substring(CHAIN.length())) : readFile(Path.of(name), console);
    }

    private static Tree chain(String length) {
        try {
            return Tree.chain(Integer.parseInt(length));
        } catch (NumberFormatException | InvalidTreeException e) {
            throw new UsageException(
                    "'" + CHAIN + length + "' is no chain: its length must be from 0 to " + (Tree.MAX_NODES - 1));
        }
    }

    private static Tree readFile(Path file, Console console) {
        Object value = StrictJson.value(file, "tree", TextSource.read(file, console));
        if (!(value instanceof List<?> list)) {
            throw new FormatException.InvalidValue(
                    file, "tree", "no list", "a list of paths, such as [[0], [0, 0], [1]]");
        }
        List<List<Integer>> paths = new ArrayList<>();
        for (Object path : list) {
            paths.add(path(file, paths.size(), path));
        }
        try {
            return Tree.of(paths);
        } catch (InvalidTreeException e) {
            throw new HydraException(file + ": " + e.getMessage(), e);
        }
    }

    private static List<Integer> path(Path file, int index, Object value) {
        String field = "path " + index;
        String expected = "a list of ranks from 0 to " + (Tree.MAX_RANKS - 1);
        if (!(value instanceof List<?> list)) {
            throw new FormatException.InvalidValue(file, field, value, expected);
        }
        List<Integer> path = new ArrayList<>();
        for (Object rank : list) {
            if (!(rank instanceof Long number) || number < 0 || number >= Tree.MAX_RANKS) {
                throw new FormatException.InvalidValue(file, field, value, expected);
            }
            path.add(number.intValue());
        }
        return path;
    }
}
