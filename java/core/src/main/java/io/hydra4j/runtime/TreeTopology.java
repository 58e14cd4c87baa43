package io.hydra4j.runtime;

import io.hydra4j.runtime.bindings.Native;
import io.hydra4j.runtime.bindings.hydra_tree;
import java.util.List;

/** The topology of the draft tree on the backend. It is data: another tree needs no other program. */
public final class TreeTopology extends NativeObject<hydra_tree> {
    /** Most nodes of a tree, the root included. */
    public static final int MAX_NODES = Native.HYDRA_MAX_NODES;

    private TreeTopology(Handle<hydra_tree> handle) {
        super(handle);
    }

    /**
     * Creates a tree of one node, the root.
     *
     * @throws OutOfNativeMemoryException if the system refuses the memory
     */
    public static TreeTopology create(Backend backend) {
        return new TreeTopology(Handle.create(
                "tree state",
                new hydra_tree(),
                out -> Native.hydra_tree_create(backend.handle().pointer(), out),
                Native::hydra_tree_destroy,
                List.of(backend.handle())));
    }

    /**
     * Sets the topology. Node 0 is the root; nodes stand in order of depth, parents before children.
     *
     * @param parents [nodes] node number of each node's parent; that of the root is -1
     * @param ranks [nodes] which of its parent's candidates a node is, best first: 0 to {@link TopK#MAX_K} - 1, distinct among
     *     siblings; that of the root is 0
     * @throws IllegalArgumentException if the arrays differ in length
     * @throws NativeException with status {@code INVALID_ARGUMENT} if they are no such tree, or of more than {@link #MAX_NODES}
     *     nodes
     */
    public void set(int[] parents, int[] ranks) {
        if (parents.length != ranks.length) {
            throw new IllegalArgumentException(parents.length + " parents, but " + ranks.length + " ranks");
        }
        handle.check(tree -> Native.hydra_tree_set(tree, parents, ranks, parents.length));
    }
}
