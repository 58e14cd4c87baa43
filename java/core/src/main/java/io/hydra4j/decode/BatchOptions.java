package io.hydra4j.decode;

import io.hydra4j.runtime.Batch;
import io.hydra4j.runtime.PassRows;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * How a {@link BatchSession} decodes. Immutable; the {@code with} methods give changed copies. Two are equal if all their options
 * are.
 */
public final class BatchOptions {
    private final int size;
    private final int maxPositions;
    private final int nodes;
    private final Tree tree;
    private final int candidates;
    private final int prefillTokens;
    private final boolean keepLogits;
    private final Sampling sampling;
    private final int logProbabilities;
    private final Acceptance acceptance;

    private BatchOptions(
            int size,
            int maxPositions,
            int nodes,
            Tree tree,
            int candidates,
            int prefillTokens,
            boolean keepLogits,
            Sampling sampling,
            int logProbabilities,
            Acceptance acceptance) {
        this.size = size;
        this.maxPositions = maxPositions;
        this.nodes = nodes;
        this.tree = tree;
        this.candidates = candidates;
        this.prefillTokens = prefillTokens;
        this.keepLogits = keepLogits;
        this.sampling = sampling;
        this.logProbabilities = logProbabilities;
        this.acceptance = acceptance;
        acceptance.requireFit(sampling);
        if (size * nodes() > PassRows.MAX_ROWS) {
            throw new IllegalArgumentException(size + " sequences with trees of " + nodes() + " nodes make "
                    + size * nodes() + " rows, a pass has at most " + PassRows.MAX_ROWS + ": use trees of at most "
                    + PassRows.MAX_ROWS / size + " nodes, or fewer sequences");
        }
    }

    /**
     * {@return options for so many sequences and this tree, in the model's whole context, without logits}
     *
     * @param size sequences, 1 to {@link Batch#MAX_SEQUENCES}
     * @param tree the tree of every step, {@link Tree#ROOT} for plain decoding; may be changed later
     * @throws NullPointerException if the tree is null
     * @throws IllegalArgumentException if the size is out of range, or there are more nodes in all than a pass
     *     can have
     */
    public static BatchOptions of(int size, Tree tree) {
        return new BatchOptions(
                SessionOptions.require("size", size, 1, Batch.MAX_SEQUENCES),
                0,
                0,
                SessionOptions.requireTree(tree),
                0,
                0,
                false,
                null,
                SessionOptions.NONE,
                Acceptance.exact());
    }

    /**
     * {@return these options with another first tree}
     *
     * @param tree the tree of every step of all sequences
     * @throws NullPointerException if it is null
     * @throws IllegalArgumentException if there are more nodes in all than a pass can have
     */
    public BatchOptions withTree(Tree tree) {
        return new BatchOptions(
                size,
                maxPositions,
                nodes,
                SessionOptions.requireTree(tree),
                candidates,
                prefillTokens,
                keepLogits,
                sampling,
                logProbabilities,
                acceptance);
    }

    /**
     * {@return these options with another limit of each sequence's positions, prompt and generated tokens together; 0 for the
     * model's context} A sequence takes KV pages for a limit that is given with its first prompt, so that no step can be short of
     * them; without one it takes them as it grows.
     *
     * @param maxPositions positions of each sequence
     * @throws IllegalArgumentException if it is negative; a session refuses more than the model's context
     */
    public BatchOptions withMaxPositions(int maxPositions) {
        SessionOptions.requirePositions(maxPositions);
        return with(maxPositions, nodes, candidates, prefillTokens, keepLogits);
    }

    /**
     * {@return these options with memory for larger trees than the first one}
     *
     * @param nodes 1 to {@link Tree#MAX_NODES}; for all sequences together at most {@link PassRows#MAX_ROWS}
     * @throws IllegalArgumentException if it is out of range
     */
    public BatchOptions withNodes(int nodes) {
        SessionOptions.require("nodes", nodes, 1, Tree.MAX_NODES);
        return with(maxPositions, nodes, candidates, prefillTokens, keepLogits);
    }

    /**
     * {@return these options with another limit of candidates of one parent, for trees that are set later}
     *
     * @param candidates 1 to {@link Tree#MAX_RANKS}
     * @throws IllegalArgumentException if it is out of range
     */
    public BatchOptions withCandidates(int candidates) {
        SessionOptions.require("candidates", candidates, 1, Tree.MAX_RANKS);
        return with(maxPositions, nodes, candidates, prefillTokens, keepLogits);
    }

    /**
     * {@return these options with another size of the passes over prompts}
     *
     * @param prefillTokens tokens, 1 to {@link PassRows#MAX_ROWS}; 0 for what suits the backend
     * @throws IllegalArgumentException if it is out of range
     */
    public BatchOptions withPrefillTokens(int prefillTokens) {
        SessionOptions.require("prefillTokens", prefillTokens, 0, PassRows.MAX_ROWS);
        return with(maxPositions, nodes, candidates, prefillTokens, keepLogits);
    }

    /** {@return these options with logits kept, so that {@link BatchSession#logits} works} */
    public BatchOptions withLogits() {
        return with(maxPositions, nodes, candidates, prefillTokens, true);
    }

    private BatchOptions with(int maxPositions, int nodes, int candidates, int prefillTokens, boolean keepLogits) {
        return new BatchOptions(
                size,
                maxPositions,
                nodes,
                tree,
                candidates,
                prefillTokens,
                keepLogits,
                sampling,
                logProbabilities,
                acceptance);
    }

    /**
     * {@return these options for a session that selects tokens so, and whose {@link BatchSession#setSampling} works} It has the
     * logits of all trees' nodes and the noise of a few positions of each sequence in memory.
     *
     * @param sampling how the tokens of all sequences are selected at first
     * @throws NullPointerException if it is null
     */
    public BatchOptions withSampling(Sampling sampling) {
        return new BatchOptions(
                size,
                maxPositions,
                nodes,
                tree,
                candidates,
                prefillTokens,
                keepLogits,
                SessionOptions.requireSampling(sampling),
                logProbabilities,
                acceptance);
    }

    /**
     * {@return these options for a session whose steps say how likely each emitted token was: {@link Step#logProbabilities}}
     *
     * @param top how many of the most likely tokens are told of each, 0 to {@link LogProbabilities#MAX_TOP}
     * @throws IllegalArgumentException if it is out of range
     */
    public BatchOptions withLogProbabilities(int top) {
        return new BatchOptions(
                size,
                maxPositions,
                nodes,
                tree,
                candidates,
                prefillTokens,
                keepLogits,
                sampling,
                SessionOptions.requireTop(top),
                acceptance);
    }

    /**
     * {@return these options with another choice of what steps keep of their guesses} As {@link SessionOptions#withAcceptance}.
     *
     * @param acceptance which guesses steps keep
     * @throws NullPointerException if it is null
     * @throws IllegalArgumentException if it is typical and tokens are not selected by their likelihood alone
     */
    public BatchOptions withAcceptance(Acceptance acceptance) {
        return new BatchOptions(
                size,
                maxPositions,
                nodes,
                tree,
                candidates,
                prefillTokens,
                keepLogits,
                sampling,
                logProbabilities,
                SessionOptions.requireAcceptance(acceptance));
    }

    /** {@return the number of sequences} */
    public int size() {
        return size;
    }

    /** {@return the most positions of each sequence, prompt and generated tokens together; 0 for the model's context} */
    public int maxPositions() {
        return maxPositions;
    }

    /** {@return the most nodes of any tree of the session, for which memory is taken; if not set, those of {@link #tree}} */
    public int nodes() {
        return nodes > 0 ? nodes : tree.nodes();
    }

    /** {@return the tree of the first steps} */
    public Tree tree() {
        return tree;
    }

    /**
     * {@return the most candidates of one parent that any tree of the session asks for; if not set, 10 or what {@link #tree}
     * needs}
     */
    public int candidates() {
        return SessionOptions.candidates(candidates, tree);
    }

    /** {@return the most tokens of prompts that are computed in one pass; 0 for what suits the backend} */
    public int prefillTokens() {
        return prefillTokens;
    }

    /** {@return whether {@link BatchSession#logits} works} */
    public boolean keepLogits() {
        return keepLogits;
    }

    /** {@return how tokens are selected at first; empty for the best ones and a session that cannot change that} */
    public Optional<Sampling> sampling() {
        return Optional.ofNullable(sampling);
    }

    /** {@return how many of the most likely tokens steps tell of each emitted one; empty where they tell nothing} */
    public OptionalInt logProbabilities() {
        return SessionOptions.optional(logProbabilities);
    }

    /** {@return which guesses steps keep} */
    public Acceptance acceptance() {
        return acceptance;
    }

    private List<Object> values() {
        return Arrays.asList(
                size,
                maxPositions,
                nodes,
                tree,
                candidates,
                prefillTokens,
                keepLogits,
                sampling,
                logProbabilities,
                acceptance);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof BatchOptions options && values().equals(options.values());
    }

    @Override
    public int hashCode() {
        return values().hashCode();
    }

    @Override
    public String toString() {
        return "BatchOptions[size=" + size + ", maxPositions=" + maxPositions + ", nodes=" + nodes() + ", tree=" + tree
                + ", candidates=" + candidates() + ", prefillTokens=" + prefillTokens + ", keepLogits=" + keepLogits
                + ", sampling=" + sampling + ", logProbabilities=" + logProbabilities + ", acceptance=" + acceptance
                + "]";
    }
}
