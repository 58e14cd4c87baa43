package io.hydra4j.decode;

import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * How tokens are selected. Immutable; the {@code with} methods give changed copies. Two are equal if all their options are.
 *
 * <p>The token that is selected at a position is a pure function of the model's logits, these options, and the text before it: of
 * logits with bias and penalties, divided by the temperature, and filtered by top-k, top-p and min-p in this order, each on what
 * the one before has left, the largest sum with Gumbel noise that a counter-based generator (Philox) gives for seed, position and
 * token. So a text is a pure function of prompt, options and seed: it is the same with every drafter and tree, and whatever is
 * decoded beside it.
 *
 * <p>Source of the noise: Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3" (2011); of drawing by arg-max: Maddison et
 * al., "A* Sampling" (arXiv 1411.0030).
 */
public final class Sampling {
    /** Temperature 0 and nothing else: the model's best token. */
    public static final Sampling GREEDY = builder().build();

    /** The smallest temperature above 0. */
    public static final float MIN_TEMPERATURE = 1e-4f;
    /** The largest temperature. */
    public static final float MAX_TEMPERATURE = 100;
    /** The smallest repetition penalty; the largest is {@link #MAX_PENALTY}. */
    public static final float MIN_REPETITION_PENALTY = 0.01f;
    /** The largest penalty of every kind, and the largest reward (negative) for presence and frequency. */
    public static final float MAX_PENALTY = 100;
    /** The largest bias, up or down. */
    public static final float MAX_BIAS = 10000;

    private final float temperature;
    private final int topK;
    private final float topP;
    private final float minP;
    private final float repetitionPenalty;
    private final float presencePenalty;
    private final float frequencyPenalty;
    private final SortedMap<Integer, Float> logitBias;
    private final long seed;

    private Sampling(Builder from) {
        temperature = from.temperature;
        topK = from.topK;
        topP = from.topP;
        minP = from.minP;
        repetitionPenalty = from.repetitionPenalty;
        presencePenalty = from.presencePenalty;
        frequencyPenalty = from.frequencyPenalty;
        logitBias = from.logitBias;
        seed = from.seed;
    }

    /**
     * {@return options that draw from the model's distribution at a temperature}
     *
     * @param temperature 0 for the best token, or {@link #MIN_TEMPERATURE} to {@link #MAX_TEMPERATURE}; 1 is the model's own
     * @param seed decides, with the position, what is drawn
     * @throws IllegalArgumentException if the temperature is out of range
     */
    public static Sampling of(float temperature, long seed) {
        return builder().temperature(temperature).seed(seed).build();
    }

    /** {@return a builder with the values of {@link #GREEDY}} */
    public static Builder builder() {
        return new Builder();
    }

    /** {@return a builder with the values of these options} */
    public Builder toBuilder() {
        Builder copy = new Builder();
        copy.temperature = temperature;
        copy.topK = topK;
        copy.topP = topP;
        copy.minP = minP;
        copy.repetitionPenalty = repetitionPenalty;
        copy.presencePenalty = presencePenalty;
        copy.frequencyPenalty = frequencyPenalty;
        copy.logitBias = logitBias;
        copy.seed = seed;
        return copy;
    }

    /**
     * {@return these options with another temperature; see {@link Builder#temperature}}
     *
     * @param temperature 0 for the best token
     */
    public Sampling withTemperature(float temperature) {
        return toBuilder().temperature(temperature).build();
    }

    /**
     * {@return these options with another number of tokens that are drawn from; see {@link Builder#topK}}
     *
     * @param topK 0 for all
     */
    public Sampling withTopK(int topK) {
        return toBuilder().topK(topK).build();
    }

    /**
     * {@return these options with another share of the probability that is drawn from; see {@link Builder#topP}}
     *
     * @param topP 1 for all
     */
    public Sampling withTopP(float topP) {
        return toBuilder().topP(topP).build();
    }

    /**
     * {@return these options with another least probability beside the best token's; see {@link Builder#minP}}
     *
     * @param minP 0 for any
     */
    public Sampling withMinP(float minP) {
        return toBuilder().minP(minP).build();
    }

    /**
     * {@return these options with another penalty for tokens of prompt and text; see {@link Builder#repetitionPenalty}}
     *
     * @param repetitionPenalty 1 for none
     */
    public Sampling withRepetitionPenalty(float repetitionPenalty) {
        return toBuilder().repetitionPenalty(repetitionPenalty).build();
    }

    /**
     * {@return these options with another penalty for tokens of the text; see {@link Builder#presencePenalty}}
     *
     * @param presencePenalty 0 for none
     */
    public Sampling withPresencePenalty(float presencePenalty) {
        return toBuilder().presencePenalty(presencePenalty).build();
    }

    /**
     * {@return these options with another penalty for each time that a token is in the text; see {@link Builder#frequencyPenalty}}
     *
     * @param frequencyPenalty 0 for none
     */
    public Sampling withFrequencyPenalty(float frequencyPenalty) {
        return toBuilder().frequencyPenalty(frequencyPenalty).build();
    }

    /**
     * {@return these options with other biases; see {@link Builder#logitBias}}
     *
     * @param logitBias by token
     */
    public Sampling withLogitBias(Map<Integer, Float> logitBias) {
        return toBuilder().logitBias(logitBias).build();
    }

    /**
     * {@return these options with another seed; see {@link Builder#seed}}
     *
     * @param seed any number
     */
    public Sampling withSeed(long seed) {
        return toBuilder().seed(seed).build();
    }

    /** {@return the temperature; 0 where the best token is selected} */
    public float temperature() {
        return temperature;
    }

    /** {@return the most tokens that are drawn from; 0 for all} */
    public int topK() {
        return topK;
    }

    /** {@return the share of the probability that is drawn from; 1 for all} */
    public float topP() {
        return topP;
    }

    /** {@return the least probability of what is drawn from ÷ the best token's; 0 for any} */
    public float minP() {
        return minP;
    }

    /** {@return the factor by which tokens of prompt and text are made less likely; 1 for none} */
    public float repetitionPenalty() {
        return repetitionPenalty;
    }

    /** {@return what is taken off the logits of tokens of the text; 0 for nothing} */
    public float presencePenalty() {
        return presencePenalty;
    }

    /** {@return what is taken off a token's logit for each time that it is in the text; 0 for nothing} */
    public float frequencyPenalty() {
        return frequencyPenalty;
    }

    /** {@return what is added to logits, by token, in the order of tokens} Unmodifiable. */
    public SortedMap<Integer, Float> logitBias() {
        return logitBias;
    }

    /** {@return what decides, with the position, what is drawn} */
    public long seed() {
        return seed;
    }

    /** {@return whether the model's best token is selected everywhere, as without these options} */
    public boolean isGreedy() {
        return temperature == 0 && !isChangingLogits();
    }

    private boolean isChangingLogits() {
        return repetitionPenalty != 1 || presencePenalty != 0 || frequencyPenalty != 0 || !logitBias.isEmpty();
    }

    /**
     * Refuses options for tokens that a model does not have.
     *
     * @throws IllegalArgumentException if a bias is given for one
     */
    void requireFit(int vocabulary) {
        if (!logitBias.isEmpty() && logitBias.lastKey() >= vocabulary) {
            throw new IllegalArgumentException("logitBias is given for token " + logitBias.lastKey()
                    + ", which is outside the vocabulary of " + vocabulary + ": leave it out");
        }
    }

    /** What the native side takes. */
    io.hydra4j.runtime.Sampling.Options values() {
        return new io.hydra4j.runtime.Sampling.Options(
                temperature, topK, topP, minP, repetitionPenalty, presencePenalty, frequencyPenalty, seed, logitBias);
    }

    private List<Object> all() {
        return Arrays.asList(
                temperature, topK, topP, minP, repetitionPenalty, presencePenalty, frequencyPenalty, logitBias, seed);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Sampling sampling && all().equals(sampling.all());
    }

    @Override
    public int hashCode() {
        return all().hashCode();
    }

    @Override
    public String toString() {
        return "Sampling[temperature=" + temperature + ", topK=" + topK + ", topP=" + topP + ", minP=" + minP
                + ", repetitionPenalty=" + repetitionPenalty + ", presencePenalty=" + presencePenalty
                + ", frequencyPenalty=" + frequencyPenalty + ", logitBias=" + logitBias + ", seed=" + seed + "]";
    }

    /** Collects options. Not thread-safe. */
    public static final class Builder {
        private float temperature;
        private int topK;
        private float topP = 1;
        private float minP;
        private float repetitionPenalty = 1;
        private float presencePenalty;
        private float frequencyPenalty;
        private SortedMap<Integer, Float> logitBias = Collections.emptySortedMap();
        private long seed;

        private Builder() {}

        /**
         * What logits are divided by: 0, the default, selects the best token, 1 draws from the model's own distribution.
         *
         * @param temperature 0, or {@link #MIN_TEMPERATURE} to {@link #MAX_TEMPERATURE}
         * @return this builder
         * @throws IllegalArgumentException if it is out of range
         */
        public Builder temperature(float temperature) {
            if (temperature != 0 && !(temperature >= MIN_TEMPERATURE && temperature <= MAX_TEMPERATURE)) {
                throw new IllegalArgumentException("temperature is " + temperature + ": give 0 for the best token, or "
                        + MIN_TEMPERATURE + " to " + MAX_TEMPERATURE);
            }
            this.temperature = temperature + 0f; // no negative zero
            return this;
        }

        /**
         * The most tokens that are drawn from, the best ones; all if not set.
         *
         * @param topK 0 for all
         * @return this builder
         * @throws IllegalArgumentException if it is negative
         */
        public Builder topK(int topK) {
            if (topK < 0) {
                throw new IllegalArgumentException("topK is " + topK + ": give 1 or more, or 0 for all tokens");
            }
            this.topK = topK;
            return this;
        }

        /**
         * The share of the probability that is drawn from: the fewest of the best tokens that have as much; all if not set.
         *
         * @param topP above 0, at most 1
         * @return this builder
         * @throws IllegalArgumentException if it is out of range
         */
        public Builder topP(float topP) {
            if (!(topP > 0 && topP <= 1)) {
                throw new IllegalArgumentException(
                        "topP is " + topP + ": give more than 0, and at most 1 for all tokens");
            }
            this.topP = topP;
            return this;
        }

        /**
         * The least probability of tokens that are drawn from, as a part of the best token's; any if not set.
         *
         * @param minP 0 to 1
         * @return this builder
         * @throws IllegalArgumentException if it is out of range
         */
        public Builder minP(float minP) {
            this.minP = require("minP", minP, 0, 1);
            return this;
        }

        /**
         * Makes tokens that are in the prompt or the text less likely, or more: their logits are divided by it where they are
         * positive, else multiplied; 1 if not set, which changes nothing.
         *
         * @param repetitionPenalty {@link #MIN_REPETITION_PENALTY} to {@link #MAX_PENALTY}
         * @return this builder
         * @throws IllegalArgumentException if it is out of range
         */
        public Builder repetitionPenalty(float repetitionPenalty) {
            this.repetitionPenalty =
                    require("repetitionPenalty", repetitionPenalty, MIN_REPETITION_PENALTY, MAX_PENALTY);
            return this;
        }

        /**
         * What is taken off the logits of tokens that were generated; 0 if not set.
         *
         * @param presencePenalty -{@link #MAX_PENALTY} to {@link #MAX_PENALTY}
         * @return this builder
         * @throws IllegalArgumentException if it is out of range
         */
        public Builder presencePenalty(float presencePenalty) {
            this.presencePenalty = require("presencePenalty", presencePenalty, -MAX_PENALTY, MAX_PENALTY);
            return this;
        }

        /**
         * What is taken off a token's logit for each time that it was generated; 0 if not set.
         *
         * @param frequencyPenalty -{@link #MAX_PENALTY} to {@link #MAX_PENALTY}
         * @return this builder
         * @throws IllegalArgumentException if it is out of range
         */
        public Builder frequencyPenalty(float frequencyPenalty) {
            this.frequencyPenalty = require("frequencyPenalty", frequencyPenalty, -MAX_PENALTY, MAX_PENALTY);
            return this;
        }

        /**
         * What is added to the logits of some tokens; nothing if not set. A session refuses tokens outside the vocabulary.
         *
         * @param logitBias by token, each from -{@link #MAX_BIAS} to {@link #MAX_BIAS}
         * @return this builder
         * @throws NullPointerException if the map, a token or a value is null
         * @throws IllegalArgumentException if a token is negative, or a value out of range
         */
        public Builder logitBias(Map<Integer, Float> logitBias) {
            Objects.requireNonNull(logitBias, "logitBias is null: give a map, empty for none");
            SortedMap<Integer, Float> copy = new TreeMap<>();
            logitBias.forEach((token, bias) -> {
                Objects.requireNonNull(token, "a token of logitBias is null: leave it out");
                Objects.requireNonNull(bias, () -> "the logitBias of token " + token + " is null: leave it out");
                if (token < 0) {
                    throw new IllegalArgumentException(
                            "logitBias is given for token " + token + ": give ids of the vocabulary");
                }
                copy.put(token, require("logitBias of token " + token, bias, -MAX_BIAS, MAX_BIAS));
            });
            this.logitBias = Collections.unmodifiableSortedMap(copy);
            return this;
        }

        /**
         * Decides, with the position, what is drawn; 0 if not set. Texts of one prompt with one seed are the same.
         *
         * @param seed any number
         * @return this builder
         */
        public Builder seed(long seed) {
            this.seed = seed;
            return this;
        }

        /** {@return the options} */
        public Sampling build() {
            return new Sampling(this);
        }

        /** Also refuses what is not a number. */
        private static float require(String option, float value, float least, float most) {
            if (!(value >= least && value <= most)) {
                throw new IllegalArgumentException(option + " is " + value + ": give " + least + " to " + most);
            }
            return value + 0f; // no negative zero
        }
    }
}
