package io.hydra4j.cli;

import io.hydra4j.HydraException;
import io.hydra4j.TreeFile;
import io.hydra4j.decode.Tree;
import io.hydra4j.decode.Tree.InvalidTreeException;
import java.nio.file.Path;

/** What {@code --tree} can be: {@code default}, {@code chain:N}, {@code dynamic:N}, or a file that {@link TreeFile} reads. */
final class TreeName {
    /** The published tree, cut to the heads' depth. */
    static final String DEFAULT = "default";

    private static final String CHAIN = "chain:";
    private static final String DYNAMIC = "dynamic:";

    private TreeName() {}

    /**
     * The tree of a name.
     *
     * @param name null for none
     * @return null for none and for {@link #DEFAULT}, whose depth only the heads know
     * @throws UsageException if it is empty, or a chain or a dynamic tree has no size, or none that is possible
     * @throws HydraException if the file cannot be read, or holds no tree
     */
    static Tree read(String name, Console console) {
        if (name == null || name.equals(DEFAULT)) {
            return null;
        }
        if (name.startsWith(DYNAMIC)) {
            return dynamic(name.substring(DYNAMIC.length()));
        }
        if (name.isEmpty()) {
            throw new UsageException("a tree's name is empty: give default, chain:N, dynamic:N or a file");
        }
        return name.startsWith(CHAIN)
                ? chain(name.substring(CHAIN.length()))
                : TreeFile.parse(Path.of(name), TextSource.read(Path.of(name), console));
    }

    private static Tree chain(String length) {
        try {
            return Tree.chain(Integer.parseInt(length));
        } catch (NumberFormatException | InvalidTreeException e) {
            throw new UsageException(
                    "'" + CHAIN + length + "' is no chain: its length must be from 0 to " + (Tree.MAX_NODES - 1));
        }
    }

    private static Tree dynamic(String nodes) {
        try {
            return Tree.dynamic(Integer.parseInt(nodes));
        } catch (NumberFormatException | InvalidTreeException e) {
            throw new UsageException(
                    "'" + DYNAMIC + nodes + "' is no dynamic tree: its nodes must be from 1 to " + Tree.MAX_NODES);
        }
    }
}
