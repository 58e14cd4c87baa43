package io.hydra4j.train;

import io.hydra4j.decode.Tree;
import io.hydra4j.runtime.Backend;
import io.hydra4j.runtime.BackendKind;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;

/** What is trained and how. Immutable; {@link #toBuilder} gives changed copies. Two are equal if all their values are. */
public final class TrainingOptions {
    /** The most tokens of a run. */
    public static final long MAX_TOKENS = 1L << 50;
    /** The longest sequence. */
    public static final int MAX_SEQUENCE_LENGTH = 1 << 20;
    /** The most sequences of a batch, and the most batches of a step. */
    public static final int MAX_BATCH = 1 << 14;

    private final HeadsDesign design;
    private final Objective objective;
    private final OptimiserOptions optimiser;
    private final long tokens;
    private final Duration duration;
    private final int sequenceLength;
    private final int batch;
    private final int accumulation;
    private final long seed;
    private final BackendKind backend;
    private final Products products;
    private final int threads;
    private final long evaluationTokens;
    private final long checkpointTokens;
    private final int heldOutTokens;
    private final int treeNodes;

    private TrainingOptions(Builder from) {
        design = from.design;
        objective = from.objective;
        optimiser = from.optimiser;
        tokens = from.tokens;
        duration = from.duration;
        sequenceLength = from.sequenceLength;
        batch = from.batch;
        accumulation = from.accumulation;
        seed = from.seed;
        backend = from.backend;
        products = from.products;
        threads = from.threads;
        evaluationTokens = from.evaluationTokens;
        checkpointTokens = from.checkpointTokens;
        heldOutTokens = from.heldOutTokens;
        treeNodes = from.treeNodes;
    }

    /**
     * {@return a builder with the values of a recipe}
     *
     * @param recipe where the options begin
     */
    public static Builder builder(Recipe recipe) {
        Objects.requireNonNull(recipe, "recipe is null: give MEDUSA, HYDRA or HYDRA_PLUS_PLUS");
        return new Builder(recipe.design(), recipe.objective(), recipe.optimiser());
    }

    /** {@return a builder with the values of these options} */
    public Builder toBuilder() {
        Builder copy = new Builder(design, objective, optimiser);
        copy.tokens = tokens;
        copy.duration = duration;
        copy.sequenceLength = sequenceLength;
        copy.batch = batch;
        copy.accumulation = accumulation;
        copy.seed = seed;
        copy.backend = backend;
        copy.products = products;
        copy.threads = threads;
        copy.evaluationTokens = evaluationTokens;
        copy.checkpointTokens = checkpointTokens;
        copy.heldOutTokens = heldOutTokens;
        copy.treeNodes = treeNodes;
        return copy;
    }

    /** {@return what the heads are} */
    public HeadsDesign design() {
        return design;
    }

    /** {@return what is minimised} */
    public Objective objective() {
        return objective;
    }

    /** {@return how weights follow gradients} */
    public OptimiserOptions optimiser() {
        return optimiser;
    }

    /** {@return after how many tokens the run ends; empty where a duration ends it} */
    public OptionalLong tokens() {
        return duration == null ? OptionalLong.of(tokens) : OptionalLong.empty();
    }

    /** {@return after how much time of training the run ends; empty where a number of tokens ends it} */
    public Optional<Duration> duration() {
        return Optional.ofNullable(duration);
    }

    /** {@return the most tokens of a sequence} */
    public int sequenceLength() {
        return sequenceLength;
    }

    /** {@return sequences of full length whose tokens go through the heads together; shorter ones are packed into their place} */
    public int batch() {
        return batch;
    }

    /** {@return batches whose gradients make one step} */
    public int accumulation() {
        return accumulation;
    }

    /** {@return the seed of first weights, order of the data, dropout and noise} */
    public long seed() {
        return seed;
    }

    /** {@return where base and heads are computed} */
    public BackendKind backend() {
        return backend;
    }

    /** {@return what products are of} */
    public Products products() {
        return products;
    }

    /** {@return threads that compute on the CPU; 0 for one per core} */
    public int threads() {
        return threads;
    }

    /** {@return tokens of training between evaluations; 0 for a twentieth of the run} */
    public long evaluationTokens() {
        return evaluationTokens;
    }

    /** {@return tokens of training between checkpoints; 0 for a checkpoint after each evaluation} */
    public long checkpointTokens() {
        return checkpointTokens;
    }

    /** {@return about how many tokens the base writes after held-out text, on which acceptance is measured} */
    public int heldOutTokens() {
        return heldOutTokens;
    }

    /** {@return the nodes of the tree that is tuned for the heads at the end, the root included; empty for none} */
    public OptionalInt treeNodes() {
        return treeNodes == 0 ? OptionalInt.empty() : OptionalInt.of(treeNodes);
    }

    private List<Object> values() {
        return Arrays.asList(
                design,
                objective,
                optimiser,
                tokens,
                duration,
                sequenceLength,
                batch,
                accumulation,
                seed,
                backend,
                products,
                threads,
                evaluationTokens,
                checkpointTokens,
                heldOutTokens,
                treeNodes);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof TrainingOptions options && values().equals(options.values());
    }

    @Override
    public int hashCode() {
        return values().hashCode();
    }

    @Override
    public String toString() {
        Facts all = facts().add(duration == null ? "tokens" : "duration", duration == null ? tokens : duration)
                .add("evaluationTokens", evaluationTokens)
                .add("checkpointTokens", checkpointTokens)
                .add("heldOutTokens", heldOutTokens)
                .add("treeNodes", treeNodes);
        return "TrainingOptions[" + all + "]";
    }

    /** What must be the same where a run is resumed: all but its length and what is measured and kept on the way. */
    Facts facts() {
        return new Facts()
                .addAll(design.facts())
                .addAll(objective.facts())
                .addAll(optimiser.facts())
                .add("sequenceLength", sequenceLength)
                .add("batch", batch)
                .add("accumulation", accumulation)
                .add("seed", seed)
                .add("products", products);
    }

    /** Collects options. Not thread-safe. */
    public static final class Builder {
        private HeadsDesign design;
        private Objective objective;
        private OptimiserOptions optimiser;
        private long tokens = 1_000_000;
        private Duration duration;
        private int sequenceLength = 512;
        private int batch = 8;
        private int accumulation = 1;
        private long seed;
        private BackendKind backend = BackendKind.AUTO;
        private Products products = Products.FLOAT32;
        private int threads;
        private long evaluationTokens;
        private long checkpointTokens;
        private int heldOutTokens = 4096;
        private int treeNodes = 16;

        private Builder(HeadsDesign design, Objective objective, OptimiserOptions optimiser) {
            this.design = design;
            this.objective = objective;
            this.optimiser = optimiser;
        }

        /**
         * What the heads are; the recipe's if not set.
         *
         * @param design what the heads are
         * @return this builder
         */
        public Builder design(HeadsDesign design) {
            this.design = Objects.requireNonNull(design, "design is null: give HeadsDesign.of(kind)");
            return this;
        }

        /**
         * What is minimised; the recipe's if not set.
         *
         * @param objective what is minimised
         * @return this builder
         */
        public Builder objective(Objective objective) {
            this.objective = Objects.requireNonNull(objective, "objective is null: give Objective.DATA or TEACHER");
            return this;
        }

        /**
         * How weights follow gradients; the recipe's if not set.
         *
         * @param optimiser how weights follow gradients
         * @return this builder
         */
        public Builder optimiser(OptimiserOptions optimiser) {
            this.optimiser = Objects.requireNonNull(optimiser, "optimiser is null: give OptimiserOptions.DEFAULT");
            return this;
        }

        /**
         * The end of the run as a number of tokens that it learns from, 1,000,000 if neither this nor a duration is set. The same options
         * then always give the same heads.
         *
         * @param tokens 1 to 2<sup>50</sup>
         * @return this builder
         * @throws IllegalArgumentException if it is out of range
         */
        public Builder tokens(long tokens) {
            Ranges.require("tokens", tokens, 1, MAX_TOKENS);
            this.tokens = tokens;
            duration = null;
            return this;
        }

        /**
         * The end of the run as a time of training, evaluations included. How far it gets, and so the heads, then depend on the machine.
         *
         * @param duration a positive duration
         * @return this builder
         * @throws IllegalArgumentException if it is not positive
         */
        public Builder duration(Duration duration) {
            Objects.requireNonNull(duration, "duration is null: give a positive one");
            if (duration.isNegative() || duration.isZero()) {
                throw new IllegalArgumentException("duration is " + duration + ": give a positive one");
            }
            this.duration = duration;
            return this;
        }

        /**
         * The most tokens of a sequence, 512 if not set. Longer documents are cut; it must not exceed the base's context.
         *
         * @param sequenceLength 8 to {@value #MAX_SEQUENCE_LENGTH}
         * @return this builder
         * @throws IllegalArgumentException if it is out of range
         */
        public Builder sequenceLength(int sequenceLength) {
            Ranges.require("sequenceLength", sequenceLength, 8, MAX_SEQUENCE_LENGTH);
            this.sequenceLength = sequenceLength;
            return this;
        }

        /**
         * How many sequences of full length go through the heads together, 8 if not set: what memory there must be follows from it.
         *
         * @param batch 1 to {@value #MAX_BATCH}
         * @return this builder
         * @throws IllegalArgumentException if it is out of range
         */
        public Builder batch(int batch) {
            Ranges.require("batch", batch, 1, MAX_BATCH);
            this.batch = batch;
            return this;
        }

        /**
         * How many batches make one step, 1 if not set.
         *
         * @param accumulation 1 to {@value #MAX_BATCH}
         * @return this builder
         * @throws IllegalArgumentException if it is out of range
         */
        public Builder accumulation(int accumulation) {
            Ranges.require("accumulation", accumulation, 1, MAX_BATCH);
            this.accumulation = accumulation;
            return this;
        }

        /**
         * The seed of first weights, order of the data, dropout and noise; 0 if not set.
         *
         * @param seed any number
         * @return this builder
         */
        public Builder seed(long seed) {
            this.seed = seed;
            return this;
        }

        /**
         * Where base and heads are computed; {@link BackendKind#AUTO} if not set. A run may be resumed on another backend: its steps
         * differ by rounding then.
         *
         * @param backend {@link BackendKind#AUTO} takes CUDA's first device where it can be used, and otherwise the CPU
         * @return this builder
         */
        public Builder backend(BackendKind backend) {
            this.backend = Objects.requireNonNull(backend, "backend is null: give AUTO, CPU or CUDA");
            return this;
        }

        /**
         * What products are of; {@link Products#FLOAT32} if not set. A run is resumed with the products that it began with: on a CPU of
         * whatever instructions it takes the same steps then, to the bit.
         *
         * @param products what products are of
         * @return this builder
         */
        public Builder products(Products products) {
            this.products = Objects.requireNonNull(products, "products is null: give FLOAT32 or BF16");
            return this;
        }

        /**
         * Threads that compute on the CPU; 0, as it is if not set, for one per core. The same steps are taken for every number of them.
         *
         * @param threads 0 to {@value Backend#MAX_THREADS}
         * @return this builder
         * @throws IllegalArgumentException if it is out of range
         */
        public Builder threads(int threads) {
            Ranges.require("threads", threads, 0, Backend.MAX_THREADS);
            this.threads = threads;
            return this;
        }

        /**
         * Tokens of training between evaluations on held-out text; 0, as it is if not set, for a twentieth of the run.
         *
         * @param evaluationTokens 0 to 2<sup>50</sup>
         * @return this builder
         * @throws IllegalArgumentException if it is out of range
         */
        public Builder evaluationTokens(long evaluationTokens) {
            Ranges.require("evaluationTokens", evaluationTokens, 0, MAX_TOKENS);
            this.evaluationTokens = evaluationTokens;
            return this;
        }

        /**
         * Tokens of training between checkpoints; 0, as it is if not set, for one after each evaluation. There is one at the end in any
         * case, and one where a run is interrupted.
         *
         * @param checkpointTokens 0 to 2<sup>50</sup>
         * @return this builder
         * @throws IllegalArgumentException if it is out of range
         */
        public Builder checkpointTokens(long checkpointTokens) {
            Ranges.require("checkpointTokens", checkpointTokens, 0, MAX_TOKENS);
            this.checkpointTokens = checkpointTokens;
            return this;
        }

        /**
         * About how many tokens the base writes after held-out text, on which acceptance is measured, 4096 if not set.
         *
         * @param heldOutTokens 128 to 2<sup>24</sup>
         * @return this builder
         * @throws IllegalArgumentException if it is out of range
         */
        public Builder heldOutTokens(int heldOutTokens) {
            Ranges.require("heldOutTokens", heldOutTokens, 128, 1 << 24);
            this.heldOutTokens = heldOutTokens;
            return this;
        }

        /**
         * The size of the tree that is tuned for the heads at the end on held-out text, 16 if not set.
         *
         * @param treeNodes the root included, 2 to {@value Tree#MAX_NODES}; 0 for none
         * @return this builder
         * @throws IllegalArgumentException if it is out of range
         */
        public Builder treeNodes(int treeNodes) {
            if (treeNodes != 0) {
                Ranges.require("treeNodes", treeNodes, 2, Tree.MAX_NODES);
            }
            this.treeNodes = treeNodes;
            return this;
        }

        /**
         * {@return the options}
         *
         * @throws IllegalArgumentException if values contradict each other: head weights that are not one for each head, or sequences too
         *     short for the heads
         */
        public TrainingOptions build() {
            int weights = objective.headWeights().size();
            if (weights != 0 && weights != design.heads()) {
                throw new IllegalArgumentException(
                        weights + " head weights for " + design.heads() + " heads: give one for each");
            }
            if (sequenceLength < design.heads() + 2) {
                throw new IllegalArgumentException("sequenceLength is " + sequenceLength + ", too short for "
                        + design.heads() + " heads: give at least " + (design.heads() + 2));
            }
            return new TrainingOptions(this);
        }
    }
}
