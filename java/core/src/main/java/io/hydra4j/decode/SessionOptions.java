package io.hydra4j.decode;

import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalInt;

/** How a session decodes. Immutable; the {@code with} methods give changed copies. Two are equal if all their options are. */
public final class SessionOptions {
    /** Candidates of one parent for which a session is made unless more are asked for. */
    static final int CANDIDATES = 10;
    /** No log-probabilities, not even that of the emitted token. */
    static final int NONE = -1;

    private final int maxPositions;
    private final Tree tree;
    private final int candidates;
    private final boolean keepLogits;
    private final Sampling sampling;
    private final int logProbabilities;
    private final Acceptance acceptance;

    private SessionOptions(
            int maxPositions,
            Tree tree,
            int candidates,
            boolean keepLogits,
            Sampling sampling,
            int logProbabilities,
            Acceptance acceptance) {
        this.maxPositions = maxPositions;
        this.tree = tree;
        this.candidates = candidates;
        this.keepLogits = keepLogits;
        this.sampling = sampling;
        this.logProbabilities = logProbabilities;
        this.acceptance = acceptance;
        acceptance.requireFit(sampling);
    }

    /**
     * {@return options for this tree, in the model's whole context, without logits}
     *
     * @param tree the tree of every step, {@link Tree#ROOT} for plain decoding; may be changed later
     * @throws NullPointerException if it is null
     */
    public static SessionOptions of(Tree tree) {
        return new SessionOptions(0, requireTree(tree), 0, false, null, NONE, Acceptance.exact());
    }

    /** @throws NullPointerException if it is null */
    static Tree requireTree(Tree tree) {
        return Objects.requireNonNull(tree, "tree is null: give one, Tree.ROOT for plain decoding");
    }

    /** @throws NullPointerException if it is null */
    static Sampling requireSampling(Sampling sampling) {
        return Objects.requireNonNull(sampling, "sampling is null: give one, Sampling.GREEDY for the best tokens");
    }

    /** @throws IllegalArgumentException if it is out of range */
    private static int requireTop(int top) {
        return require("logProbabilities", top, 0, LogProbabilities.MAX_TOP);
    }

    /** @throws IllegalArgumentException if it is negative */
    private static int requirePositions(int maxPositions) {
        if (maxPositions < 0) {
            throw new IllegalArgumentException(
                    "maxPositions is " + maxPositions + ": give a number of tokens, or 0 for the model's context");
        }
        return maxPositions;
    }

    /** @throws IllegalArgumentException if it is out of range */
    static int require(String option, int value, int least, int most) {
        if (value < least || value > most) {
            throw new IllegalArgumentException(option + " is " + value + ": give " + least + " to " + most);
        }
        return value;
    }

    /**
     * {@return these options with another first tree}
     *
     * @param tree the tree of every step, {@link Tree#ROOT} for plain decoding
     * @throws NullPointerException if it is null
     */
    public SessionOptions withTree(Tree tree) {
        return new SessionOptions(
                maxPositions, requireTree(tree), candidates, keepLogits, sampling, logProbabilities, acceptance);
    }

    /**
     * {@return these options with another limit of positions, prompt and generated tokens together; 0 for the model's context} KV
     * pages for a limit that is given are taken as the session is made, so that it cannot be short of them later; without one
     * they are taken as it grows.
     *
     * @param maxPositions positions, 0 to the model's context
     * @throws IllegalArgumentException if it is negative; a session refuses more than the model's context
     */
    public SessionOptions withMaxPositions(int maxPositions) {
        return new SessionOptions(
                requirePositions(maxPositions), tree, candidates, keepLogits, sampling, logProbabilities, acceptance);
    }

    /**
     * {@return these options with another limit of candidates of one parent, for trees that are set later}
     *
     * @param candidates 1 to {@link Tree#MAX_RANKS}
     * @throws IllegalArgumentException if it is out of range
     */
    public SessionOptions withCandidates(int candidates) {
        return new SessionOptions(
                maxPositions,
                tree,
                require("candidates", candidates, 1, Tree.MAX_RANKS),
                keepLogits,
                sampling,
                logProbabilities,
                acceptance);
    }

    /** {@return these options with logits kept, so that {@link Session#logits} works: 64 rows of memory and a little time} */
    public SessionOptions withLogits() {
        return new SessionOptions(maxPositions, tree, candidates, true, sampling, logProbabilities, acceptance);
    }

    /**
     * {@return these options for a session that selects tokens so, and whose {@link Session#setSampling} works} It has the logits of
     * a tree's nodes and the noise of a few positions in memory: about 70 floats for each token of the vocabulary, and as many for
     * each level and head of a draft.
     *
     * @param sampling how tokens are selected at first
     * @throws NullPointerException if it is null
     */
    public SessionOptions withSampling(Sampling sampling) {
        return new SessionOptions(
                maxPositions, tree, candidates, keepLogits, requireSampling(sampling), logProbabilities, acceptance);
    }

    /**
     * {@return these options for a session whose steps say how likely each emitted token was: {@link Step#logProbabilities}}
     *
     * @param top how many of the most likely tokens are told of each, 0 to {@link LogProbabilities#MAX_TOP}
     * @throws IllegalArgumentException if it is out of range
     */
    public SessionOptions withLogProbabilities(int top) {
        return new SessionOptions(maxPositions, tree, candidates, keepLogits, sampling, requireTop(top), acceptance);
    }

    /**
     * {@return these options with another choice of what steps keep of their guesses} Exact if not set, which loses nothing;
     * {@link Acceptance#typical} changes the text. Typical acceptance has the logits of a tree's nodes in memory.
     *
     * @param acceptance which guesses steps keep
     * @throws NullPointerException if it is null
     * @throws IllegalArgumentException if it is typical and tokens are not selected by their likelihood alone
     */
    public SessionOptions withAcceptance(Acceptance acceptance) {
        return new SessionOptions(
                maxPositions, tree, candidates, keepLogits, sampling, logProbabilities, requireAcceptance(acceptance));
    }

    /** @throws NullPointerException if it is null */
    private static Acceptance requireAcceptance(Acceptance acceptance) {
        return Objects.requireNonNull(acceptance, "acceptance is null: give one, such as Acceptance.exact()");
    }

    /** {@return the most positions, prompt and generated tokens together; 0 for the model's context} */
    public int maxPositions() {
        return maxPositions;
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
        return candidates > 0 ? candidates : Math.max(CANDIDATES, tree.candidates());
    }

    /** {@return whether {@link Session#logits} works} */
    public boolean keepLogits() {
        return keepLogits;
    }

    /** {@return how tokens are selected at first; empty for the best ones and a session that cannot change that} */
    public Optional<Sampling> sampling() {
        return Optional.ofNullable(sampling);
    }

    /** {@return how many of the most likely tokens steps tell of each emitted one; empty where they tell nothing} */
    public OptionalInt logProbabilities() {
        return logProbabilities == NONE ? OptionalInt.empty() : OptionalInt.of(logProbabilities);
    }

    /** {@return which guesses steps keep} */
    public Acceptance acceptance() {
        return acceptance;
    }

    private List<Object> values() {
        return Arrays.asList(maxPositions, tree, candidates, keepLogits, sampling, logProbabilities, acceptance);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof SessionOptions options && values().equals(options.values());
    }

    @Override
    public int hashCode() {
        return values().hashCode();
    }

    @Override
    public String toString() {
        return "SessionOptions[maxPositions=" + maxPositions + ", tree=" + tree + ", candidates=" + candidates()
                + ", keepLogits=" + keepLogits + ", sampling=" + sampling + ", logProbabilities=" + logProbabilities
                + ", acceptance=" + acceptance + "]";
    }
}
