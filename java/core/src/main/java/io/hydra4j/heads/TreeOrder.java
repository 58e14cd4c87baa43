package io.hydra4j.heads;

import io.hydra4j.FormatException;
import io.hydra4j.format.Fields;
import io.hydra4j.format.GgufWriter;
import io.hydra4j.runtime.TopK;
import io.hydra4j.runtime.TreeTopology;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;

/**
 * An order in which to grow trees of guesses, and what each node adds: every beginning of it is a tree. Immutable.
 *
 * <p>A compact heads file carries it as {@code hydra.tree_paths}, where each path stands as its length and then its ranks, and
 * {@code hydra.tree_gains}, one number for the root and one for each path.
 *
 * @param paths paths, each after its parent: ranks from the root's child down, 0 being the best candidate
 * @param gains {@code [paths + 1]}: expected tokens that each node adds to a step; that of the root, which comes first, is 1
 */
public record TreeOrder(List<List<Integer>> paths, List<Double> gains) {
    /** The most paths: those of a tree, all of whose nodes but the root end one. */
    public static final int MAX_PATHS = TreeTopology.MAX_NODES - 1;

    private static final String PATHS = "hydra.tree_paths";
    private static final String GAINS = "hydra.tree_gains";

    /** Makes the lists unmodifiable. */
    public TreeOrder {
        paths = paths.stream().map(List::copyOf).toList();
        gains = List.copyOf(gains);
        if (gains.size() != paths.size() + 1) {
            throw new IllegalArgumentException(paths.size() + " paths, but " + gains.size() + " gains");
        }
    }

    /** This order without the paths deeper than {@code depth}, and without those after the first {@code count}. */
    public TreeOrder cut(int depth, int count) {
        var kept = new ArrayList<List<Integer>>();
        var keptGains = new ArrayList<>(gains.subList(0, 1));
        for (int i = 0; i < paths.size() && kept.size() < count; i++) {
            if (paths.get(i).size() <= depth) {
                kept.add(paths.get(i));
                keptGains.add(gains.get(i + 1));
            }
        }
        return new TreeOrder(kept, keptGains);
    }

    /** Adds this order to a file's metadata. */
    void put(GgufWriter file) {
        var flat = new ArrayList<Long>();
        for (List<Integer> path : paths) {
            flat.add((long) path.size());
            path.forEach(rank -> flat.add((long) rank));
        }
        file.put(PATHS, flat.stream().mapToLong(Long::longValue).toArray());
        file.put(GAINS, gains.stream().mapToDouble(Double::doubleValue).toArray());
    }

    /**
     * Reads the order of a file, or null if it has none.
     *
     * @param depth the deepest path that the heads can fill
     * @throws FormatException.MissingField if there are paths without gains, or the other way round
     * @throws FormatException.InvalidValue if they are no such order
     */
    static TreeOrder read(Fields metadata, int depth) {
        if (!metadata.has(PATHS) && !metadata.has(GAINS)) {
            return null;
        }
        var paths = readPaths(metadata, depth);
        var gains = metadata.numbers(GAINS);
        var expected = (paths.size() + 1) + " numbers, 1 and then from 0 to 1";
        if (gains.length != paths.size() + 1 || gains[0] != 1) {
            throw metadata.invalid(GAINS, expected);
        }
        var list = new ArrayList<Double>(gains.length);
        for (double gain : gains) {
            if (!(gain >= 0 && gain <= 1)) {
                throw new FormatException.InvalidValue(metadata.file(), GAINS, gain, expected);
            }
            list.add(gain);
        }
        return new TreeOrder(paths, list);
    }

    private static List<List<Integer>> readPaths(Fields metadata, int depth) {
        var expected = "at most " + MAX_PATHS + " paths, each as its length from 1 to " + depth
                + " and then ranks below " + TopK.MAX_K + ", after its parent";
        var numbers = metadata.numbers(PATHS);
        var paths = new ArrayList<List<Integer>>();
        var seen = new HashSet<List<Integer>>();
        for (int at = 0; at < numbers.length; ) {
            double length = numbers[at++];
            if (!isIndex(length - 1, depth) || length > numbers.length - at || paths.size() == MAX_PATHS) {
                throw metadata.invalid(PATHS, expected);
            }
            var path = new ArrayList<Integer>();
            for (int i = 0; i < length; i++) {
                double rank = numbers[at++];
                if (!isIndex(rank, TopK.MAX_K)) {
                    throw new FormatException.InvalidValue(metadata.file(), PATHS, "rank " + rank, expected);
                }
                path.add((int) rank);
            }
            var parent = path.subList(0, path.size() - 1);
            if (!parent.isEmpty() && !seen.contains(parent) || !seen.add(path)) {
                throw new FormatException.InvalidValue(metadata.file(), PATHS, "path " + path, expected);
            }
            paths.add(path);
        }
        return paths;
    }

    private static boolean isIndex(double value, int limit) {
        return value >= 0 && value < limit && value == Math.rint(value);
    }
}
