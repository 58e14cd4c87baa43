package io.hydra4j.decode;

import java.util.Arrays;

/**
 * What one step of a session emitted.
 *
 * @param tokens the tokens, the root first; at least one
 * @param path the accepted nodes of the tree, {@code path[0] = 0}; as many as there are tokens
 * @param nodes tree nodes that the base model verified, the root included
 */
public record Step(int[] tokens, int[] path, int nodes) {
    @Override
    public boolean equals(Object other) {
        return other instanceof Step step
                && nodes == step.nodes
                && Arrays.equals(tokens, step.tokens)
                && Arrays.equals(path, step.path);
    }

    @Override
    public int hashCode() {
        return 31 * Arrays.hashCode(tokens) + Arrays.hashCode(path) + nodes;
    }

    @Override
    public String toString() {
        return "Step[tokens=" + Arrays.toString(tokens) + ", path=" + Arrays.toString(path) + ", nodes=" + nodes + "]";
    }
}
