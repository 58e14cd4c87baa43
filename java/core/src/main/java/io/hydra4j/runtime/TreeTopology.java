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

    /**
     * Lets the tree of a sequence grow, until {@link #set} gives it a shape again: each step makes it anew of the nodes that are
     * likeliest to be right. {@link Program#expand} makes it the root and a chain that the host guesses, {@link Program#grow} adds
     * what a drafter proposes, and keeps the best.
     *
     * @param sequence its number, or {@link #ALL}
     * @param nodes the most of the tree, 1 to {@link #MAX_NODES}
     * @param least nodes that are less likely to be right are left out: from 0, none, to 1, all but the root
     * @param levels those that draft heads fill, from the root on, 0 to {@link #MAX_NODES} - 1
     * @param width the most nodes of a depth whose children are drafted, 1 to {@link #MAX_NODES}
     * @param chain the tokens that follow the root, one after the other; those that the tree has no room for are left out
     * @param chances for each of them, how likely it is right where the one before it is: between 0 and 1
     * @param guesses how many of these there are
     * @throws IllegalArgumentException if the arrays are shorter
     * @throws NativeException with status {@code INVALID_ARGUMENT} if there is no such sequence, or a value is out of range
     */
    public void setGrowth(
            int sequence, int nodes, float least, int levels, int width, int[] chain, float[] chances, int guesses) {
        if (guesses > chain.length || guesses > chances.length) {
            throw new IllegalArgumentException(
                    guesses + " guesses, but " + chain.length + " tokens and " + chances.length + " chances");
        }
        handle.check(tree ->
                Native.hydra_tree_set_growth(tree, sequence, nodes, least, levels, width, chain, chances, guesses));
    }

    /**
     * Sets the most nodes below their roots that all growing trees of a step have together. They go where they are likeliest to be
     * right.
     *
     * @param nodes 0 or more
     * @throws NativeException with status {@code INVALID_ARGUMENT} if it is negative
     */
    public void setBudget(int nodes) {
        handle.check(tree -> Native.hydra_tree_set_budget(tree, nodes));
    }
}
