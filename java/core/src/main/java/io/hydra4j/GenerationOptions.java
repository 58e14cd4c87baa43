package io.hydra4j;

import io.hydra4j.decode.Acceptance;
import io.hydra4j.decode.LogProbabilities;
import io.hydra4j.decode.Sampling;
import io.hydra4j.decode.Tree;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.function.BooleanSupplier;

/** How to generate. Immutable; the {@code with} methods give changed copies. Two are equal if all their options are. */
public final class GenerationOptions {
    /** {@link Speculation#AUTO}, 256 tokens, greedy, no stop strings. */
    public static final GenerationOptions DEFAULT = builder().build();

    private final Speculation speculation;
    private final Tree tree;
    private final DraftSource draft;
    private final List<String> draftTexts;
    private final int maxTokens;
    private final List<String> stop;
    private final boolean ignoreEnd;
    private final Acceptance acceptance;
    private final BooleanSupplier cancelled;
    private final Sampling sampling;
    private final int logProbabilities;

    private GenerationOptions(Builder from) {
        speculation = from.speculation;
        tree = from.tree;
        draft = from.draft;
        draftTexts = from.draftTexts;
        maxTokens = from.maxTokens;
        stop = from.stop;
        ignoreEnd = from.ignoreEnd;
        acceptance = from.acceptance;
        cancelled = from.cancelled;
        sampling = from.sampling;
        logProbabilities = from.logProbabilities;
    }

    /** {@return a builder with the values of {@link #DEFAULT}} */
    public static Builder builder() {
        return new Builder();
    }

    /** {@return a builder with the values of these options} */
    public Builder toBuilder() {
        Builder copy = new Builder();
        copy.speculation = speculation;
        copy.tree = tree;
        copy.draft = draft;
        copy.draftTexts = draftTexts;
        copy.maxTokens = maxTokens;
        copy.stop = stop;
        copy.ignoreEnd = ignoreEnd;
        copy.acceptance = acceptance;
        copy.cancelled = cancelled;
        copy.sampling = sampling;
        copy.logProbabilities = logProbabilities;
        return copy;
    }

    /**
     * {@return these options with another choice of whether to guess; see {@link Builder#speculation}}
     *
     * @param speculation whether to guess
     */
    public GenerationOptions withSpeculation(Speculation speculation) {
        return toBuilder().speculation(speculation).build();
    }

    /**
     * {@return these options with another tree; see {@link Builder#tree}}
     *
     * @param tree the tree of every step, or null
     */
    public GenerationOptions withTree(Tree tree) {
        return toBuilder().tree(tree).build();
    }

    /**
     * {@return these options with another source of guesses; see {@link Builder#draft}}
     *
     * @param draft what guesses
     */
    public GenerationOptions withDraft(DraftSource draft) {
        return toBuilder().draft(draft).build();
    }

    /**
     * {@return these options with texts in which the lookup looks, too; see {@link Builder#draftTexts}}
     *
     * @param draftTexts texts that may be repeated
     */
    public GenerationOptions withDraftTexts(List<String> draftTexts) {
        return toBuilder().draftTexts(draftTexts).build();
    }

    /**
     * {@return these options with another limit of tokens; see {@link Builder#maxTokens}}
     *
     * @param maxTokens at least 1
     */
    public GenerationOptions withMaxTokens(int maxTokens) {
        return toBuilder().maxTokens(maxTokens).build();
    }

    /**
     * {@return these options with other strings that end the text; see {@link Builder#stop}}
     *
     * @param stop strings, none of them empty
     */
    public GenerationOptions withStop(List<String> stop) {
        return toBuilder().stop(stop).build();
    }

    /**
     * {@return these options with another choice of what end-of-sequence tokens do; see {@link Builder#ignoreEnd}}
     *
     * @param ignoreEnd true to go on
     */
    public GenerationOptions withIgnoreEnd(boolean ignoreEnd) {
        return toBuilder().ignoreEnd(ignoreEnd).build();
    }

    /**
     * {@return these options with another way to end the generation; see {@link Builder#cancelled}}
     *
     * @param cancelled cheap, and thread-safe where another thread ends the generation
     */
    public GenerationOptions withCancelled(BooleanSupplier cancelled) {
        return toBuilder().cancelled(cancelled).build();
    }

    /**
     * {@return these options with another way to select tokens; see {@link Builder#sampling}}
     *
     * @param sampling how tokens are selected
     */
    public GenerationOptions withSampling(Sampling sampling) {
        return toBuilder().sampling(sampling).build();
    }

    /**
     * {@return these options with log-probabilities in the result; see {@link Builder#logProbabilities}}
     *
     * @param top how many of the most likely tokens are told of each generated one
     */
    public GenerationOptions withLogProbabilities(int top) {
        return toBuilder().logProbabilities(top).build();
    }

    /**
     * {@return these options with another choice of which guesses are kept; see {@link Builder#acceptance}}
     *
     * @param acceptance which guesses are kept
     */
    public GenerationOptions withAcceptance(Acceptance acceptance) {
        return toBuilder().acceptance(acceptance).build();
    }

    /** {@return whether to guess} */
    public Speculation speculation() {
        return speculation;
    }

    /** {@return the tree of every step; empty for a choice of the library} */
    public Optional<Tree> tree() {
        return Optional.ofNullable(tree);
    }

    /** {@return what guesses} */
    public DraftSource draft() {
        return draft;
    }

    /** {@return the texts in which the lookup looks, too} */
    public List<String> draftTexts() {
        return draftTexts;
    }

    /** {@return the most tokens to generate} */
    public int maxTokens() {
        return maxTokens;
    }

    /** {@return the strings that end the text} Unmodifiable. */
    public List<String> stop() {
        return stop;
    }

    /** {@return whether to continue past end-of-sequence tokens} */
    public boolean ignoreEnd() {
        return ignoreEnd;
    }

    /** {@return what is asked before every step and every pass over the prompt; true ends the generation} */
    public BooleanSupplier cancelled() {
        return cancelled;
    }

    /** {@return which guesses are kept} */
    public Acceptance acceptance() {
        return acceptance;
    }

    /** {@return how tokens are selected} */
    public Sampling sampling() {
        return sampling;
    }

    /** {@return how many of the most likely tokens are told of each generated one; empty where no log-probabilities are} */
    public OptionalInt logProbabilities() {
        return logProbabilities < 0 ? OptionalInt.empty() : OptionalInt.of(logProbabilities);
    }

    private List<Object> values() {
        return Arrays.asList(
                speculation,
                tree,
                draft,
                draftTexts,
                maxTokens,
                stop,
                ignoreEnd,
                acceptance,
                cancelled,
                sampling,
                logProbabilities);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof GenerationOptions options && values().equals(options.values());
    }

    @Override
    public int hashCode() {
        return values().hashCode();
    }

    @Override
    public String toString() {
        return "GenerationOptions[speculation=" + speculation + ", tree=" + tree + ", draft=" + draft
                + ", draftTexts=" + draftTexts.size() + ", maxTokens=" + maxTokens
                + ", stop=" + stop + ", ignoreEnd=" + ignoreEnd + ", acceptance=" + acceptance + ", sampling="
                + sampling + ", logProbabilities="
                + logProbabilities + "]";
    }

    /** Collects options. Not thread-safe. */
    public static final class Builder {
        private static final BooleanSupplier NEVER = () -> false;

        private Speculation speculation = Speculation.AUTO;
        private Tree tree;
        private DraftSource draft = DraftSource.AUTO;
        private List<String> draftTexts = List.of();
        private int maxTokens = 256;
        private List<String> stop = List.of();
        private boolean ignoreEnd;
        private Acceptance acceptance = Acceptance.exact();
        private BooleanSupplier cancelled = NEVER;
        private Sampling sampling = Sampling.GREEDY;
        private int logProbabilities = -1;

        private Builder() {}

        /**
         * Whether to guess; {@link Speculation#AUTO} if not set.
         *
         * @param speculation whether to guess
         * @return this builder
         * @throws NullPointerException if it is null
         */
        public Builder speculation(Speculation speculation) {
            this.speculation = OpenOptions.require("speculation", speculation, "AUTO, ON or OFF");
            return this;
        }

        /**
         * The tree of every step; null, as it is if not set, for a choice of the library: the drafter's default tree with {@link
         * Speculation#ON}, what is fastest with {@link Speculation#AUTO}. Not used with {@link Speculation#OFF}.
         *
         * @param tree the tree of every step, or null
         * @return this builder
         */
        public Builder tree(Tree tree) {
            this.tree = tree;
            return this;
        }

        /**
         * Sets what guesses: {@link DraftSource#AUTO} by default.
         *
         * @param draft what guesses; a model without heads refuses those that need them
         * @return this builder
         */
        public Builder draft(DraftSource draft) {
            this.draft = OpenOptions.require("draft", draft, "DraftSource.AUTO");
            return this;
        }

        /**
         * Sets texts in which the lookup looks for the end of the text, too: none by default. Good ones are what is likely to be
         * repeated, such as the file that is being edited.
         *
         * @param draftTexts texts, in the order in which later ones count more
         * @return this builder
         */
        public Builder draftTexts(List<String> draftTexts) {
            this.draftTexts = List.copyOf(OpenOptions.require("draftTexts", draftTexts, "a list, empty for none"));
            return this;
        }

        /**
         * The most tokens to generate, exact; 256 if not set.
         *
         * @param maxTokens at least 1
         * @return this builder
         * @throws IllegalArgumentException if it is below 1
         */
        public Builder maxTokens(int maxTokens) {
            if (maxTokens < 1) {
                throw new IllegalArgumentException("maxTokens is " + maxTokens + ": give 1 or more");
            }
            this.maxTokens = maxTokens;
            return this;
        }

        /**
         * Strings that end the text before them; none if not set.
         *
         * @param stop strings, none of them empty
         * @return this builder
         * @throws NullPointerException if the list or a string is null
         * @throws IllegalArgumentException if a string is empty
         */
        public Builder stop(List<String> stop) {
            for (String each : OpenOptions.require("stop", stop, "a list of strings, empty for none")) {
                if (OpenOptions.require("a stop string", each, "a string").isEmpty()) {
                    throw new IllegalArgumentException("a stop string is empty: leave it out");
                }
            }
            this.stop = List.copyOf(stop);
            return this;
        }

        /**
         * Whether to continue past end-of-sequence tokens; not if not set.
         *
         * @param ignoreEnd true to go on
         * @return this builder
         */
        public Builder ignoreEnd(boolean ignoreEnd) {
            this.ignoreEnd = ignoreEnd;
            return this;
        }

        /**
         * Which guesses are kept; exact if not set: the text is that of plain decoding then. {@link Acceptance#typical} keeps more
         * and changes the text, which depends on what is guessed; with {@link Speculation#AUTO} that is a matter of time. Not used
         * with {@link Speculation#OFF}. Typical acceptance draws nothing, a generation with it refuses {@link #sampling} that does.
         *
         * @param acceptance which guesses are kept
         * @return this builder
         * @throws NullPointerException if it is null
         */
        public Builder acceptance(Acceptance acceptance) {
            this.acceptance = OpenOptions.require("acceptance", acceptance, "one, such as Acceptance.exact()");
            return this;
        }

        /**
         * Asked before every step and every pass over the prompt, in the generating thread; true ends the generation.
         *
         * @param cancelled cheap, and thread-safe where another thread ends the generation
         * @return this builder
         * @throws NullPointerException if it is null
         */
        public Builder cancelled(BooleanSupplier cancelled) {
            this.cancelled = OpenOptions.require("cancelled", cancelled, "a supplier, such as () -> false");
            return this;
        }

        /**
         * How tokens are selected; {@link Sampling#GREEDY} if not set. What is generated does not depend on speculation, tree and
         * heads with these options either.
         *
         * @param sampling how tokens are selected
         * @return this builder
         * @throws NullPointerException if it is null
         */
        public Builder sampling(Sampling sampling) {
            this.sampling =
                    OpenOptions.require("sampling", sampling, "Sampling.GREEDY or Sampling.of(temperature, seed)");
            return this;
        }

        /**
         * Lets result and chunks say how likely each token was; not if not set.
         *
         * @param top how many of the most likely tokens are told of each, 0 to {@link LogProbabilities#MAX_TOP}
         * @return this builder
         * @throws IllegalArgumentException if it is out of range
         */
        public Builder logProbabilities(int top) {
            if (top < 0 || top > LogProbabilities.MAX_TOP) {
                throw new IllegalArgumentException(
                        "logProbabilities is " + top + ": give 0 to " + LogProbabilities.MAX_TOP);
            }
            logProbabilities = top;
            return this;
        }

        /** {@return the options} */
        public GenerationOptions build() {
            return new GenerationOptions(this);
        }
    }
}
