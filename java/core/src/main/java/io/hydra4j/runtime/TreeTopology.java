package io.hydra4j.runtime;

import io.hydra4j.runtime.bindings.Native;
import io.hydra4j.runtime.bindings.hydra_tree;
import java.util.List;

/** The topologies of the draft trees of a batch's sequences, on the backend. They are data: another tree needs no other program. */
public final class TreeTopology extends NativeObject {
    /** Most nodes of a tree, the root included. */
    public static final int MAX_NODES = Native.HYDRA_MAX_NODES;

    /** All sequences of the batch, to {@link #set}. */
    public static final int ALL = -1;

    private final Handle<hydra_tree> handle;

    private TreeTopology(Handle<hydra_tree> handle) {
        this.handle = handle;
    }

    @Override
    Handle<hydra_tree> handle() {
        return handle;
    }

    /**
     * Creates trees of one node each, the root.
     *
     * @param batch whose sequences they are of
     * @return the trees, to be closed
     * @throws OutOfNativeMemoryException if the system refuses the memory
     */
    public static TreeTopology create(Batch batch) {
        return new TreeTopology(Handle.create(
                "trees",
                new hydra_tree(),
                out -> Native.hydra_tree_create(batch.handle().pointer(), out),
                Native::hydra_tree_destroy,
                List.of(batch.handle())));
    }

    /**
     * Sets the topology of a sequence's tree. Node 0 is the root; nodes stand in order of depth, parents before children.
     *
     * @param sequence its number, or {@link #ALL}
     * @param parents [nodes] node number of each node's parent; that of the root is -1
     * @param ranks [nodes] which of its parent's candidates a node is, best first: 0 to {@link TopK#MAX_K} - 1, distinct among
     *     siblings; that of the root is 0
     * @throws IllegalArgumentException if the arrays differ in length
     * @throws NativeException with status {@code INVALID_ARGUMENT} if there is no such sequence, or they are no such tree, or of
     *     more than {@link #MAX_NODES} nodes
     */
    public void set(int sequence, int[] parents, int[] ranks) {
        if (parents.length != ranks.length) {
            throw new IllegalArgumentException(parents.length + " parents, but " + ranks.length + " ranks");
        }
        handle.check(tree -> Native.hydra_tree_set(tree, sequence, parents, ranks, parents.length));
    }
}
