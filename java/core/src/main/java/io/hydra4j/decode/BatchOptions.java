package io.hydra4j.decode;

import io.hydra4j.runtime.Batch;
import io.hydra4j.runtime.PassRows;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * How a {@link BatchSession} decodes. Immutable; the {@code with} methods give changed copies. Two are equal if all their options
 * are.
 */
public final class BatchOptions {
    private final int size;
    private final int nodes;
    private final int prefillTokens;
    /** What is asked of each sequence. */
    private final SessionOptions each;

    private BatchOptions(int size, int nodes, int prefillTokens, SessionOptions each) {
        this.size = size;
        this.nodes = nodes;
        this.prefillTokens = prefillTokens;
        this.each = each;
        if (size * nodes() > PassRows.MAX_ROWS) {
            throw new IllegalArgumentException(size + " sequences with trees of " + nodes() + " nodes make "
                    + size * nodes() + " rows, a pass has at most " + PassRows.MAX_ROWS + ": use trees of at most "
                    + PassRows.MAX_ROWS / size + " nodes, or fewer sequences");
        }
    }

    private BatchOptions with(SessionOptions changed) {
        return new BatchOptions(size, nodes, prefillTokens, changed);
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
        SessionOptions.require("size", size, 1, Batch.MAX_SEQUENCES);
        return new BatchOptions(size, 0, 0, SessionOptions.of(tree));
    }

    /**
     * {@return these options with another first tree}
     *
     * @param tree the tree of every step of all sequences
     * @throws NullPointerException if it is null
     * @throws IllegalArgumentException if there are more nodes in all than a pass can have
     */
    public BatchOptions withTree(Tree tree) {
        return with(each.withTree(tree));
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
        return with(each.withMaxPositions(maxPositions));
    }

    /**
     * {@return these options with memory for larger trees than the first one}
     *
     * @param nodes 1 to {@link Tree#MAX_NODES}; for all sequences together at most {@link PassRows#MAX_ROWS}
     * @throws IllegalArgumentException if it is out of range
     */
    public BatchOptions withNodes(int nodes) {
        SessionOptions.require("nodes", nodes, 1, Tree.MAX_NODES);
        return new BatchOptions(size, nodes, prefillTokens, each);
    }

    /**
     * {@return these options with another limit of candidates of one parent, for trees that are set later}
     *
     * @param candidates 1 to {@link Tree#MAX_RANKS}
     * @throws IllegalArgumentException if it is out of range
     */
    public BatchOptions withCandidates(int candidates) {
        return with(each.withCandidates(candidates));
    }

    /**
     * {@return these options with another size of the passes over prompts}
     *
     * @param prefillTokens tokens, 1 to {@link PassRows#MAX_ROWS}; 0 for what suits the backend
     * @throws IllegalArgumentException if it is out of range
     */
    public BatchOptions withPrefillTokens(int prefillTokens) {
        SessionOptions.require("prefillTokens", prefillTokens, 0, PassRows.MAX_ROWS);
        return new BatchOptions(size, nodes, prefillTokens, each);
    }

    /** {@return these options with logits kept, so that {@link BatchSession#logits} works} */
    public BatchOptions withLogits() {
        return with(each.withLogits());
    }

    /**
     * {@return these options for a session that selects tokens so, and whose {@link BatchSession#setSampling} works} It has the
     * logits of all trees' nodes and the noise of a few positions of each sequence in memory.
     *
     * @param sampling how the tokens of all sequences are selected at first
     * @throws NullPointerException if it is null
     */
    public BatchOptions withSampling(Sampling sampling) {
        return with(each.withSampling(sampling));
    }

    /**
     * {@return these options for a session whose steps say how likely each emitted token was: {@link Step#logProbabilities}}
     *
     * @param top how many of the most likely tokens are told of each, 0 to {@link LogProbabilities#MAX_TOP}
     * @throws IllegalArgumentException if it is out of range
     */
    public BatchOptions withLogProbabilities(int top) {
        return with(each.withLogProbabilities(top));
    }

    /**
     * {@return these options with another choice of what steps keep of their guesses} As {@link SessionOptions#withAcceptance}.
     *
     * @param acceptance which guesses steps keep
     * @throws NullPointerException if it is null
     * @throws IllegalArgumentException if it is typical and tokens are not selected by their likelihood alone
     */
    public BatchOptions withAcceptance(Acceptance acceptance) {
        return with(each.withAcceptance(acceptance));
    }

    /** {@return the number of sequences} */
    public int size() {
        return size;
    }

    /** {@return the most positions of each sequence, prompt and generated tokens together; 0 for the model's context} */
    public int maxPositions() {
        return each.maxPositions();
    }

    /** {@return the most nodes of any tree of the session, for which memory is taken; if not set, those of {@link #tree}} */
    public int nodes() {
        return nodes > 0 ? nodes : tree().nodes();
    }

    /** {@return the tree of the first steps} */
    public Tree tree() {
        return each.tree();
    }

    /**
     * {@return the most candidates of one parent that any tree of the session asks for; if not set, 10 or what {@link #tree}
     * needs}
     */
    public int candidates() {
        return each.candidates();
    }

    /** {@return the most tokens of prompts that are computed in one pass; 0 for what suits the backend} */
    public int prefillTokens() {
        return prefillTokens;
    }

    /** {@return whether {@link BatchSession#logits} works} */
    public boolean keepLogits() {
        return each.keepLogits();
    }

    /** {@return how tokens are selected at first; empty for the best ones and a session that cannot change that} */
    public Optional<Sampling> sampling() {
        return each.sampling();
    }

    /** {@return how many of the most likely tokens steps tell of each emitted one; empty where they tell nothing} */
    public OptionalInt logProbabilities() {
        return each.logProbabilities();
    }

    /** {@return which guesses steps keep} */
    public Acceptance acceptance() {
        return each.acceptance();
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof BatchOptions options
                && size == options.size
                && nodes == options.nodes
                && prefillTokens == options.prefillTokens
                && each.equals(options.each);
    }

    @Override
    public int hashCode() {
        return Objects.hash(size, nodes, prefillTokens, each);
    }

    @Override
    public String toString() {
        return "BatchOptions[size=" + size + ", maxPositions=" + maxPositions() + ", nodes=" + nodes() + ", tree="
                + tree() + ", candidates=" + candidates() + ", prefillTokens=" + prefillTokens + ", keepLogits="
                + keepLogits() + ", sampling=" + sampling().orElse(null) + ", logProbabilities="
                + logProbabilities().orElse(SessionOptions.NONE) + ", acceptance=" + acceptance() + "]";
    }
}
