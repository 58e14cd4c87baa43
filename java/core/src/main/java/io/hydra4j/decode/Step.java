package io.hydra4j.decode;

import java.util.Arrays;
import java.util.List;
import java.util.Objects;

/** What one step of a sequence emitted. Immutable; two are equal if their values are. */
public final class Step {
    private final int[] tokens;
    private final int[] path;
    private final int nodes;
    private final List<LogProbabilities> logProbabilities;

    /**
     * A step whose session does not tell log-probabilities.
     *
     * @param tokens the tokens, the root first; at least one
     * @param path the accepted nodes of the tree, {@code path[0] = 0}; as many as there are tokens
     * @param nodes tree nodes that the base model verified, the root included
     * @throws NullPointerException if an array is null
     * @throws IllegalArgumentException if there are no tokens, or not as many nodes of the path
     */
    public Step(int[] tokens, int[] path, int nodes) {
        this(tokens, path, nodes, List.of());
    }

    /**
     * @param tokens the tokens, the root first; at least one
     * @param path the accepted nodes of the tree, {@code path[0] = 0}; as many as there are tokens
     * @param nodes tree nodes that the base model verified, the root included
     * @param logProbabilities those of each token, or none
     * @throws NullPointerException if an argument is null
     * @throws IllegalArgumentException if there are no tokens, or not as many nodes of the path, or log-probabilities of some
     */
    public Step(int[] tokens, int[] path, int nodes, List<LogProbabilities> logProbabilities) {
        Objects.requireNonNull(tokens, "tokens is null: give at least one");
        Objects.requireNonNull(path, "path is null: give a node for each token");
        if (tokens.length == 0 || path.length != tokens.length) {
            throw new IllegalArgumentException(
                    tokens.length + " tokens with a path of " + path.length + ": give one node for each, at least one");
        }
        Objects.requireNonNull(logProbabilities, "logProbabilities is null: give a list, empty for none");
        if (!logProbabilities.isEmpty() && logProbabilities.size() != tokens.length) {
            throw new IllegalArgumentException(tokens.length + " tokens with log-probabilities of "
                    + logProbabilities.size() + ": give all or none");
        }
        this.tokens = tokens.clone();
        this.path = path.clone();
        this.nodes = nodes;
        this.logProbabilities = List.copyOf(logProbabilities);
    }

    /** This step with the log-probabilities of its tokens. */
    Step with(List<LogProbabilities> likelihoods) {
        return new Step(tokens, path, nodes, likelihoods);
    }

    /** {@return the emitted tokens, the root first; at least one} A copy. */
    public int[] tokens() {
        return tokens.clone();
    }

    /** {@return the accepted nodes of the tree, {@code path[0] = 0}; as many as there are tokens} A copy. */
    public int[] path() {
        return path.clone();
    }

    /** {@return the number of emitted tokens} */
    public int emitted() {
        return tokens.length;
    }

    /** {@return the number of tree nodes that the base model verified, the root included} */
    public int nodes() {
        return nodes;
    }

    /**
     * {@return how likely each token was, as many as there are tokens; none if the session was not made {@link
     * SessionOptions#withLogProbabilities so}} Unmodifiable.
     */
    public List<LogProbabilities> logProbabilities() {
        return logProbabilities;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Step step
                && nodes == step.nodes
                && Arrays.equals(tokens, step.tokens)
                && Arrays.equals(path, step.path)
                && logProbabilities.equals(step.logProbabilities);
    }

    @Override
    public int hashCode() {
        return 31 * Arrays.hashCode(tokens) + Arrays.hashCode(path) + nodes + logProbabilities.hashCode();
    }

    @Override
    public String toString() {
        return "Step[tokens=" + Arrays.toString(tokens) + ", path=" + Arrays.toString(path) + ", nodes=" + nodes + "]";
    }
}
