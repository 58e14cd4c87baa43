package io.hydra4j;

import io.hydra4j.runtime.Backend;
import io.hydra4j.runtime.BackendKind;
import io.hydra4j.runtime.KvType;
import io.hydra4j.runtime.WeightType;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.function.DoubleConsumer;

/** How to open a model. Immutable; the {@code with} methods give changed copies. Two are equal if all their options are. */
public final class OpenOptions {
    /** No heads, all processors, the file's types. */
    public static final OpenOptions DEFAULT = builder().build();

    /** The most tokens that there can be room for. */
    public static final long MAX_KV_TOKENS = 1L << 32;

    private final Path heads;
    private final BackendKind backend;
    private final int threads;
    private final WeightType weights;
    private final WeightType headWeights;
    private final boolean eightBitHeads;
    private final KvType kv;
    private final int context;
    private final long kvTokens;
    private final boolean draftTables;
    private final DoubleConsumer progress;
    private final Calibration calibration;

    private OpenOptions(Builder from) {
        heads = from.heads;
        backend = from.backend;
        threads = from.threads;
        weights = from.weights;
        headWeights = from.headWeights;
        eightBitHeads = from.eightBitHeads;
        kv = from.kv;
        context = from.context;
        kvTokens = from.kvTokens;
        draftTables = from.draftTables;
        progress = from.progress;
        calibration = from.calibration;
    }

    /** {@return a builder with the values of {@link #DEFAULT}} */
    public static Builder builder() {
        return new Builder();
    }

    /** {@return a builder with the values of these options} */
    public Builder toBuilder() {
        Builder copy = new Builder();
        copy.heads = heads;
        copy.backend = backend;
        copy.threads = threads;
        copy.weights = weights;
        copy.headWeights = headWeights;
        copy.eightBitHeads = eightBitHeads;
        copy.kv = kv;
        copy.context = context;
        copy.kvTokens = kvTokens;
        copy.draftTables = draftTables;
        copy.progress = progress;
        copy.calibration = calibration;
        return copy;
    }

    /**
     * {@return these options with other draft heads; see {@link Builder#heads}}
     *
     * @param heads a folder or file, or null
     */
    public OpenOptions withHeads(Path heads) {
        return toBuilder().heads(heads).build();
    }

    /**
     * {@return these options with another backend; see {@link Builder#backend}}
     *
     * @param backend the kind of backend
     */
    public OpenOptions withBackend(BackendKind backend) {
        return toBuilder().backend(backend).build();
    }

    /**
     * {@return these options with another number of threads; see {@link Builder#threads}}
     *
     * @param threads 0 to {@value Backend#MAX_THREADS}
     */
    public OpenOptions withThreads(int threads) {
        return toBuilder().threads(threads).build();
    }

    /**
     * {@return these options with another type of the base's matrices; see {@link Builder#weights}}
     *
     * @param weights a type that the backend has a kernel for, or null
     */
    public OpenOptions withWeights(WeightType weights) {
        return toBuilder().weights(weights).build();
    }

    /**
     * {@return these options with another type of the heads' matrices; see {@link Builder#headWeights}}
     *
     * @param headWeights a type that the backend has a kernel for, or null
     */
    public OpenOptions withHeadWeights(WeightType headWeights) {
        return toBuilder().headWeights(headWeights).build();
    }

    /**
     * {@return these options with another choice of how heads of 16 bits are computed; see {@link Builder#eightBitHeads}}
     *
     * @param eightBitHeads whether in 8 bits on the CPU
     */
    public OpenOptions withEightBitHeads(boolean eightBitHeads) {
        return toBuilder().eightBitHeads(eightBitHeads).build();
    }

    /**
     * {@return these options with another way to keep keys and values; see {@link Builder#kv}}
     *
     * @param kv how keys and values are kept
     */
    public OpenOptions withKv(KvType kv) {
        return toBuilder().kv(kv).build();
    }

    /**
     * {@return these options with another context; see {@link Builder#context}}
     *
     * @param context the most tokens of a sequence, or 0 for all that the model has
     */
    public OpenOptions withContext(int context) {
        return toBuilder().context(context).build();
    }

    /**
     * {@return these options with room for another number of tokens; see {@link Builder#kvTokens}}
     *
     * @param kvTokens 0 to {@value #MAX_KV_TOKENS}
     */
    public OpenOptions withKvTokens(long kvTokens) {
        return toBuilder().kvTokens(kvTokens).build();
    }

    /**
     * {@return these options with or without tables of grounded heads; see {@link Builder#draftTables}}
     *
     * @param draftTables whether to make them
     */
    public OpenOptions withDraftTables(boolean draftTables) {
        return toBuilder().draftTables(draftTables).build();
    }

    /**
     * {@return these options with another listener to loading; see {@link Builder#progress}}
     *
     * @param progress gets the loaded fraction
     */
    public OpenOptions withProgress(DoubleConsumer progress) {
        return toBuilder().progress(progress).build();
    }

    /**
     * {@return these options with what steps cost; see {@link Builder#calibration}}
     *
     * @param calibration what was measured, or null
     */
    public OpenOptions withCalibration(Calibration calibration) {
        return toBuilder().calibration(calibration).build();
    }

    /** {@return draft heads, if there are to be any} */
    public Optional<Path> heads() {
        return Optional.ofNullable(heads);
    }

    /** {@return what computes} */
    public BackendKind backend() {
        return backend;
    }

    /** {@return the number of threads that compute on the CPU; 0 for one per core} */
    public int threads() {
        return threads;
    }

    /** {@return the type of all matrices of the base; empty to keep the file's} */
    public Optional<WeightType> weights() {
        return Optional.ofNullable(weights);
    }

    /** {@return the type of all matrices of the heads; empty to keep the file's} */
    public Optional<WeightType> headWeights() {
        return Optional.ofNullable(headWeights);
    }

    /** {@return whether heads of 16 bits are computed in 8 on the CPU} */
    public boolean eightBitHeads() {
        return eightBitHeads;
    }

    /** {@return how keys and values are kept} */
    public KvType kv() {
        return kv;
    }

    /** {@return the most tokens of a sequence; 0 for all that the model has} */
    public int context() {
        return context;
    }

    /** {@return the number of tokens whose keys and values there is room for, of all sessions together; 0 for the default} */
    public long kvTokens() {
        return kvTokens;
    }

    /** {@return whether grounded heads get tables in the place of their products with the embedding} */
    public boolean draftTables() {
        return draftTables;
    }

    /** {@return what gets the loaded fraction, 0 to 1} */
    public DoubleConsumer progress() {
        return progress;
    }

    /** {@return what steps cost, if that was measured before} */
    public Optional<Calibration> calibration() {
        return Optional.ofNullable(calibration);
    }

    private List<Object> values() {
        return Arrays.asList(
                heads,
                backend,
                threads,
                weights,
                headWeights,
                eightBitHeads,
                kv,
                context,
                kvTokens,
                draftTables,
                progress,
                calibration);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof OpenOptions options && values().equals(options.values());
    }

    @Override
    public int hashCode() {
        return values().hashCode();
    }

    @Override
    public String toString() {
        return "OpenOptions[heads=" + heads + ", backend=" + backend + ", threads=" + threads + ", weights=" + weights
                + ", headWeights=" + headWeights + ", eightBitHeads=" + eightBitHeads + ", kv=" + kv + ", context="
                + context + ", kvTokens=" + kvTokens
                + ", draftTables="
                + draftTables + "]";
    }

    /** @throws NullPointerException if the value is null, with its name and what to give instead */
    static <T> T require(String name, T value, String remedy) {
        if (value == null) {
            throw new NullPointerException(name + " is null: give " + remedy);
        }
        return value;
    }

    /** Collects options. Not thread-safe. */
    public static final class Builder {
        private static final DoubleConsumer NOBODY = fraction -> {};

        private Path heads;
        private BackendKind backend = BackendKind.AUTO;
        private int threads;
        private WeightType weights;
        private WeightType headWeights;
        private boolean eightBitHeads;
        private KvType kv = KvType.AUTO;
        private int context;
        private long kvTokens;
        private boolean draftTables;
        private DoubleConsumer progress = NOBODY;
        private Calibration calibration;

        private Builder() {}

        /**
         * Draft heads: a folder of the published kind or a compact file; null, as it is if not set, for none.
         *
         * @param heads a folder or file, or null
         * @return this builder
         */
        public Builder heads(Path heads) {
            this.heads = heads;
            return this;
        }

        /**
         * What computes; if not set {@link BackendKind#AUTO}, which takes a GPU where one can be used and has the memory, else the
         * CPU.
         *
         * @param backend the kind of backend
         * @return this builder
         * @throws NullPointerException if it is null
         */
        public Builder backend(BackendKind backend) {
            this.backend = require("backend", backend, "AUTO, CPU or CUDA");
            return this;
        }

        /**
         * Threads that compute on the CPU; 0, as it is if not set, for one per core.
         *
         * @param threads 0 to {@value Backend#MAX_THREADS}
         * @return this builder
         * @throws IllegalArgumentException if it is below 0 or above {@link Backend#MAX_THREADS}
         */
        public Builder threads(int threads) {
            if (threads < 0 || threads > Backend.MAX_THREADS) {
                throw new IllegalArgumentException(
                        "threads is " + threads + ": give 1 to " + Backend.MAX_THREADS + ", or 0 for one per core");
            }
            this.threads = threads;
            return this;
        }

        /**
         * Type of all matrices of the base; null, as it is if not set, to keep the file's.
         *
         * @param weights a type that the backend has a kernel for, or null
         * @return this builder
         */
        public Builder weights(WeightType weights) {
            this.weights = weights;
            return this;
        }

        /**
         * Type of all matrices of the heads; null, as it is if not set, to keep the file's.
         *
         * @param headWeights a type that the backend has a kernel for, or null
         * @return this builder
         */
        public Builder headWeights(WeightType headWeights) {
            this.headWeights = headWeights;
            return this;
        }

        /**
         * Whether heads that their file has in BF16 or F16, as they are published, are computed in {@link WeightType#Q8_0} on the CPU; false if
         * not set, and of no effect beside {@link #headWeights}. They take half the bytes and guess a few tokens in a thousand otherwise,
         * which is not seen in what is emitted but with {@link io.hydra4j.decode.Acceptance#typical}.
         *
         * @param eightBitHeads whether they are
         * @return this builder
         */
        public Builder eightBitHeads(boolean eightBitHeads) {
            this.eightBitHeads = eightBitHeads;
            return this;
        }

        /**
         * How keys and values are kept; {@link KvType#AUTO} if not set.
         *
         * @param kv how keys and values are kept
         * @return this builder
         * @throws NullPointerException if it is null
         */
        public Builder kv(KvType kv) {
            this.kv = require("kv", kv, "AUTO, F32 or F16");
            return this;
        }

        /**
         * The most tokens of a sequence, prompt and answer; 0, as it is if not set, for all that the model has. A shorter one takes less
         * memory, for keys and values are counted in contexts where {@link #kvTokens} is not set. Models with LongRoPE (Phi-3 with 128k)
         * have two sets of angles: where the context is at most the one that they were first trained for, that of short texts is taken,
         * else that of long ones for all texts; {@link ModelInfo#notices} says so.
         *
         * @param context 0 to the model's
         * @return this builder
         * @throws IllegalArgumentException if it is below 0; opening fails with one if it is more than the model has
         */
        public Builder context(int context) {
            if (context < 0) {
                throw new IllegalArgumentException(
                        "context is " + context + ": give a number of tokens, or 0 for all that the model has");
            }
            this.context = context;
            return this;
        }

        /**
         * Tokens whose keys and values there is room for, of all streams and sessions together. A stream takes room for its prompt, its
         * token limit and a tree, {@value io.hydra4j.decode.Tree#MAX_NODES} tokens, as it is opened, and is refused where there is not
         * so much; the room comes in pages of {@value io.hydra4j.runtime.KvPool#PAGE_POSITIONS} tokens. On the CPU memory is taken as
         * tokens are computed, on a GPU at once. If not set, or 0: 16 contexts, and on a GPU no more of them than half of the memory
         * that is left holds, but one at least.
         *
         * @param kvTokens 0 to {@value #MAX_KV_TOKENS}
         * @return this builder
         * @throws IllegalArgumentException if it is below 0 or above {@value #MAX_KV_TOKENS}
         */
        public Builder kvTokens(long kvTokens) {
            if (kvTokens < 0 || kvTokens > MAX_KV_TOKENS) {
                throw new IllegalArgumentException(
                        "kvTokens is " + kvTokens + ": give 1 to " + MAX_KV_TOKENS + ", or 0 for 16 contexts");
            }
            this.kvTokens = kvTokens;
            return this;
        }

        /**
         * Whether grounded heads get tables in the place of their products with the embedding: more memory for less reading.
         *
         * @param draftTables whether to make them
         * @return this builder
         */
        public Builder draftTables(boolean draftTables) {
            this.draftTables = draftTables;
            return this;
        }

        /**
         * Gets the loaded fraction, 0 to 1, in the opening thread.
         *
         * @param progress gets the loaded fraction
         * @return this builder
         * @throws NullPointerException if it is null
         */
        public Builder progress(DoubleConsumer progress) {
            this.progress = require("progress", progress, "a consumer, such as fraction -> {}");
            return this;
        }

        /**
         * What steps cost, as {@link HydraModel#calibrate} measured it with the same files, options and machine; opening fails with a
         * {@link CalibrationMismatchException} with others. Null, as it is if not set, to find out while decoding.
         *
         * @param calibration what was measured, or null
         * @return this builder
         */
        public Builder calibration(Calibration calibration) {
            this.calibration = calibration;
            return this;
        }

        /** {@return the options} */
        public OpenOptions build() {
            return new OpenOptions(this);
        }
    }
}
