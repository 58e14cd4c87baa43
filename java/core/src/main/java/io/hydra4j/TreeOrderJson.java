package io.hydra4j;

import com.fasterxml.jackson.core.JsonGenerator;
import io.hydra4j.decode.Tree;
import io.hydra4j.format.Fields;
import io.hydra4j.heads.TreeOrder;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/** Trees in JSON: {@code tree_paths}, lists of ranks, and {@code tree_gains}, 1 for the root and a number for each path. */
final class TreeOrderJson {
    static final String PATHS = "tree_paths";
    static final String GAINS = "tree_gains";

    private static final int MAX_PATHS = Tree.MAX_NODES - 1;

    private TreeOrderJson() {}

    static void write(JsonGenerator json, TreeOrder order) throws IOException {
        json.writeArrayFieldStart(PATHS);
        for (List<Integer> path : order.paths()) {
            int[] ranks = path.stream().mapToInt(Integer::intValue).toArray();
            json.writeArray(ranks, 0, ranks.length);
        }
        json.writeEndArray();
        json.writeFieldName(GAINS);
        numbers(json, order.gains().stream().mapToDouble(Double::doubleValue).toArray());
    }

    /** An array of numbers. */
    static void numbers(JsonGenerator json, double[] values) throws IOException {
        json.writeArray(values, 0, values.length);
    }

    /**
     * Reads paths, each after its parent, and gains.
     *
     * @throws FormatException if they are missing or no such order
     */
    static TreeOrder read(Fields fields) {
        List<List<Integer>> paths = paths(fields.file(), fields.list(PATHS));
        for (int i = 0; i < paths.size(); i++) {
            requireParent(fields.file(), paths, i, paths.subList(0, i), "each path after its parent");
        }
        double[] gains = numbers(fields, GAINS);
        if (gains.length != paths.size() + 1
                || gains[0] != 1
                || Arrays.stream(gains).anyMatch(gain -> !(gain >= 0 && gain <= 1))) {
            throw fields.invalid(GAINS, "1 for the root and a number from 0 to 1 for each path");
        }
        return new TreeOrder(paths, Arrays.stream(gains).boxed().toList());
    }

    /**
     * Reads a list of paths in any order.
     *
     * @param file the file that errors name
     * @throws FormatException if they are no tree
     */
    static Tree tree(Path file, List<?> list) {
        List<List<Integer>> paths = paths(file, list);
        for (int i = 0; i < paths.size(); i++) {
            requireParent(file, paths, i, paths, "its parent somewhere in the list");
        }
        return Tree.of(paths);
    }

    /** The numbers of an array. */
    static double[] numbers(Fields fields, String name) {
        List<?> list = fields.list(name);
        double[] numbers = new double[list.size()];
        for (int i = 0; i < numbers.length; i++) {
            if (!(list.get(i) instanceof Number number)) {
                throw fields.invalid(name, list.get(i), "numbers alone");
            }
            numbers[i] = number.doubleValue();
        }
        return numbers;
    }

    /** Paths of possible ranks and lengths, none of them twice; parents may be missing. */
    private static List<List<Integer>> paths(Path file, List<?> list) {
        if (list.size() > MAX_PATHS) {
            throw new FormatException.TooLarge(
                    file,
                    "paths",
                    list.size() + " paths",
                    "at most " + MAX_PATHS + ", the nodes of a tree but its root");
        }
        Set<List<Integer>> paths = new LinkedHashSet<>();
        for (Object value : list) {
            String field = field(paths.size());
            List<Integer> path = path(file, field, value);
            if (!paths.add(path)) {
                throw new FormatException.InvalidValue(file, field, path + ", which is given twice", "each path once");
            }
        }
        return List.copyOf(paths);
    }

    private static String field(int index) {
        return "path " + index;
    }

    private static List<Integer> path(Path file, String field, Object value) {
        String expected = "a list of ranks from 0 to " + (Tree.MAX_RANKS - 1);
        if (!(value instanceof List<?> list)) {
            throw new FormatException.InvalidValue(file, field, value, expected);
        }
        if (list.isEmpty()) {
            throw new FormatException.InvalidValue(
                    file, field, "an empty path", expected + ", one at least: the root is implicit");
        }
        if (list.size() > MAX_PATHS) {
            throw new FormatException.TooLarge(
                    file,
                    field,
                    "a path of " + list.size() + " ranks",
                    "at most " + MAX_PATHS + ", the deepest tree's");
        }
        List<Integer> path = new ArrayList<>();
        for (Object rank : list) {
            if (!(rank instanceof Long number) || number < 0 || number >= Tree.MAX_RANKS) {
                throw new FormatException.InvalidValue(file, field, value, expected);
            }
            path.add(number.intValue());
        }
        return List.copyOf(path);
    }

    private static void requireParent(
            Path file, List<List<Integer>> paths, int index, List<List<Integer>> among, String expected) {
        List<Integer> path = paths.get(index);
        List<Integer> parent = path.subList(0, path.size() - 1);
        if (!parent.isEmpty() && !among.contains(parent)) {
            throw new FormatException.InvalidValue(
                    file, field(index), path + " without its parent " + parent, expected);
        }
    }
}
