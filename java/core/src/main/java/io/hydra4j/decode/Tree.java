package io.hydra4j.decode;

import io.hydra4j.runtime.TopK;
import io.hydra4j.runtime.TreeTopology;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import java.util.TreeSet;

/**
 * The shape of a tree of guesses. A path lists, from the root down, which of its parent's candidates (0 = the best) each
 * node is; the root, the base model's own next token, is implicit. Nodes are ordered by depth and then by path, the root
 * first. Immutable.
 *
 * <p>A {@link #dynamic} tree has no shape of its own: each step makes it anew.
 *
 * <p>Any set of paths that holds every path's parents makes a tree, of at most {@link #MAX_NODES} nodes with the root
 * and ranks below {@link #MAX_RANKS}. Source of the representation and of {@link #DEFAULT}: the Medusa and Hydra papers
 * (arXiv 2401.10774, 2402.05109).
 */
public final class Tree {
    /** Most nodes, the root included. */
    public static final int MAX_NODES = TreeTopology.MAX_NODES;

    /** Ranks are below this. */
    public static final int MAX_RANKS = TopK.MAX_K;

    /** Only the root: plain decoding. */
    public static final Tree ROOT = of(List.of());

    /** Growth order of the published 64-node tree of Medusa and Hydra, as rank digits. */
    private static final String PUBLISHED =
            "0 00 1 01 2 000 10 02 3 03 4 04 20 05 001 5 06 6 07 010 11 7 08 002 30 09 8 9 100 020 12 003 40 21 004"
                    + " 005 0000 011 006 030 50 13 007 008 009 60 040 14 70 012 200 31 22 80 050 15 101 021 90 060 0001 16"
                    + " 070";

    /** The published default tree ("mc_sim_7b_63"): 64 nodes, depth 4. */
    public static final Tree DEFAULT = of(published());

    private final List<List<Integer>> paths;
    private final int[] parents;
    private final int[] ranks;
    private final int[] depths;
    /** The most nodes of a dynamic tree; 0 of others. */
    private final int most;

    private final double least;
    private final int levels;

    private Tree(List<List<Integer>> paths) {
        this(paths, 0, 0, MAX_NODES);
    }

    private Tree(List<List<Integer>> paths, int most, double least, int levels) {
        this.paths = paths;
        this.most = most;
        this.least = least;
        this.levels = levels;
        parents = new int[paths.size() + 1];
        ranks = new int[parents.length];
        depths = new int[parents.length];
        parents[0] = -1;
        for (int i = 1; i < parents.length; i++) {
            List<Integer> path = paths.get(i - 1);
            List<Integer> parent = path.subList(0, path.size() - 1);
            parents[i] = parent.isEmpty() ? 0 : paths.indexOf(parent) + 1;
            ranks[i] = path.get(path.size() - 1);
            depths[i] = path.size();
        }
    }

    /**
     * {@return a tree of the given paths, in any order}
     *
     * @param paths for each node but the root its ranks from the root down
     * @throws NullPointerException if the list or a path is null
     * @throws InvalidTreeException if a path is empty or given twice, its parent is missing, a rank is out of range, or
     *     there are too many
     */
    public static Tree of(List<List<Integer>> paths) {
        Objects.requireNonNull(paths, "paths is null: give a list, empty for the root alone");
        if (paths.size() >= MAX_NODES) {
            throw new InvalidTreeException(
                    "a tree of " + paths.size() + " paths has more than " + (MAX_NODES - 1) + ": leave some out");
        }
        TreeSet<List<Integer>> sorted = new TreeSet<>(Tree::compare);
        for (List<Integer> path : paths) {
            Objects.requireNonNull(path, "a path is null: leave it out");
            if (path.isEmpty()) {
                throw new InvalidTreeException("an empty path: the root is implicit, leave it out");
            }
            for (Integer rank : path) {
                if (rank == null || rank < 0 || rank >= MAX_RANKS) {
                    throw new InvalidTreeException(
                            "rank " + rank + " in path " + shown(path) + ": must be from 0 to " + (MAX_RANKS - 1));
                }
            }
            if (!sorted.add(List.copyOf(path))) {
                throw new InvalidTreeException("path " + shown(path) + " is given twice");
            }
        }
        for (List<Integer> path : sorted) {
            if (path.size() > 1 && !sorted.contains(path.subList(0, path.size() - 1))) {
                throw new InvalidTreeException("path " + shown(path) + " without its parent "
                        + shown(path.subList(0, path.size() - 1)) + ": add the parent");
            }
        }
        return new Tree(List.copyOf(sorted));
    }

    /**
     * {@return a chain of the best guesses}
     *
     * @param length nodes below the root, 0 to 63
     * @throws InvalidTreeException if length is out of range
     */
    public static Tree chain(int length) {
        if (length < 0 || length >= MAX_NODES) {
            throw new InvalidTreeException("a chain of " + length + ": must be from 0 to " + (MAX_NODES - 1));
        }
        List<List<Integer>> paths = new ArrayList<>();
        Integer[] zeros = new Integer[length];
        Arrays.fill(zeros, 0);
        for (int i = 1; i <= length; i++) {
            paths.add(List.of(zeros).subList(0, i));
        }
        return of(paths);
    }

    /**
     * {@return a tree that each step makes anew, of the nodes that are likeliest to be right as the drafter sees it} It has no paths
     * of its own.
     *
     * @param nodes the most nodes, the root included: 1 to {@link #MAX_NODES}
     * @throws InvalidTreeException if nodes is out of range
     */
    public static Tree dynamic(int nodes) {
        if (nodes < 1 || nodes > MAX_NODES) {
            throw new InvalidTreeException("a dynamic tree of " + nodes + " nodes: must be from 1 to " + MAX_NODES);
        }
        return nodes == 1 ? ROOT : new Tree(List.of(), nodes, 0, MAX_NODES);
    }

    /**
     * {@return this dynamic tree without nodes that are less likely to be right than that}
     *
     * @param chance 0, which leaves out none, to 1
     * @throws IllegalArgumentException if it is out of range
     * @throws IllegalStateException if this tree has a shape of its own
     */
    public Tree withLeast(double chance) {
        if (!(chance >= 0 && chance <= 1)) {
            throw new IllegalArgumentException("chance is " + chance + ": give 0 to 1");
        }
        if (!isDynamic()) {
            throw new IllegalStateException("only a dynamic tree leaves out nodes: use Tree.dynamic");
        }
        return new Tree(paths, most, chance, levels);
    }

    /**
     * {@return this dynamic tree with no more than so many levels filled by draft heads} A lookup beside them fills as many as it likes.
     *
     * @param levels 0, where no head is evaluated, or more
     * @throws IllegalArgumentException if it is negative
     * @throws IllegalStateException if this tree has a shape of its own
     */
    public Tree withLevels(int levels) {
        if (levels < 0) {
            throw new IllegalArgumentException("levels is " + levels + ": give 0 or more");
        }
        if (!isDynamic()) {
            throw new IllegalStateException("only a dynamic tree is drafted level by level: use Tree.dynamic");
        }
        return new Tree(paths, most, least, Math.min(levels, MAX_NODES));
    }

    /** {@return whether each step makes the tree anew} Then it has no paths, and {@link #nodes} and {@link #depth} are the most. */
    public boolean isDynamic() {
        return most > 0;
    }

    /** {@return the most levels of a dynamic tree that draft heads fill} */
    public int levels() {
        return levels;
    }

    /** {@return how likely a node of a dynamic tree must be right to stay; 0 where all do} */
    public double least() {
        return least;
    }

    /**
     * {@return the paths of {@link #DEFAULT} in the order in which its authors' search added them: every beginning is a tree}
     */
    public static List<List<Integer>> published() {
        List<List<Integer>> paths = new ArrayList<>();
        for (String digits : PUBLISHED.split(" ")) {
            paths.add(digits.chars().mapToObj(c -> c - '0').toList());
        }
        return paths;
    }

    /**
     * {@return this tree without the nodes deeper than {@code depth}} A dynamic tree has no more than so many nodes below its root then.
     *
     * @param depth the deepest level that stays; 0 leaves the root alone
     */
    public Tree truncated(int depth) {
        if (depth <= 0) {
            return ROOT;
        }
        if (isDynamic()) {
            return depth >= most - 1 ? this : new Tree(paths, depth + 1, least, levels);
        }
        return depth >= depth()
                ? this
                : of(paths.stream().filter(path -> path.size() <= depth).toList());
    }

    /** {@return the number of nodes, the root included} */
    public int nodes() {
        return isDynamic() ? most : parents.length;
    }

    /** {@return the depth of the deepest node; 0 for the root alone} */
    public int depth() {
        return isDynamic() ? most - 1 : depths[depths.length - 1];
    }

    /** {@return the number of candidates that one parent can be asked for: the largest rank + 1, 0 for the root alone and for a dynamic tree} */
    public int candidates() {
        return Arrays.stream(ranks).max().orElse(0) + (ranks.length > 1 ? 1 : 0);
    }

    /** {@return the paths in node order, without the root; none of a dynamic tree} */
    public List<List<Integer>> paths() {
        return paths;
    }

    /** {@return the parent of each node, {@code [nodes]}; -1 for the root} A copy. */
    public int[] parents() {
        return parents.clone();
    }

    /** {@return the rank of each node among its parent's candidates, {@code [nodes]}; 0 for the root} A copy. */
    public int[] ranks() {
        return ranks.clone();
    }

    /** {@return the depth of each node, {@code [nodes]}: its position relative to the root} A copy. */
    public int[] depths() {
        return depths.clone();
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Tree tree
                && paths.equals(tree.paths)
                && most == tree.most
                && least == tree.least
                && levels == tree.levels;
    }

    @Override
    public int hashCode() {
        return paths.hashCode() + 31 * most + Double.hashCode(least);
    }

    @Override
    public String toString() {
        return isDynamic() ? "Tree[dynamic, " + most + " nodes]" : "Tree[" + nodes() + " nodes, depth " + depth() + "]";
    }

    /** A path for a message; the beginning of one that is longer than those of any tree. */
    private static String shown(List<Integer> path) {
        return path.size() < MAX_NODES ? path.toString() : path.subList(0, 4) + "... of " + path.size() + " ranks";
    }

    /**
     * {@return the order of nodes: by depth, then by ranks from the root down}
     *
     * @param a a path
     * @param b another one
     */
    public static int compare(List<Integer> a, List<Integer> b) {
        if (a.size() != b.size()) {
            return Integer.compare(a.size(), b.size());
        }
        for (int i = 0; i < a.size(); i++) {
            int order = Comparator.<Integer>naturalOrder().compare(a.get(i), b.get(i));
            if (order != 0) {
                return order;
            }
        }
        return 0;
    }

    /** A set of paths that is no tree. */
    public static final class InvalidTreeException extends IllegalArgumentException {
        private static final long serialVersionUID = 1L;

        InvalidTreeException(String message) {
            super("invalid tree: " + message);
        }
    }
}
