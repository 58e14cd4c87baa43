package io.hydra4j.cli;

import io.hydra4j.HydraException;
import io.hydra4j.HydraModel;
import io.hydra4j.OpenOptions;
import io.hydra4j.decode.Tree;
import io.hydra4j.model.DecoderConfig;
import io.hydra4j.runtime.Backend;
import io.hydra4j.runtime.BackendKind;
import io.hydra4j.runtime.KvType;
import io.hydra4j.runtime.WeightType;
import java.nio.file.Path;
import java.util.function.UnaryOperator;
import picocli.CommandLine.Option;

/** The options that say which model and heads to open, and how; without any, the model that comes with the jar. */
final class ModelArguments {
    @Option(names = "--model", paramLabel = "PATH", description = "A GGUF file or a Hugging Face folder.")
    private Path model;

    @Option(
            names = "--heads",
            paramLabel = "PATH",
            description =
                    "Draft heads: a folder, or a compact file. Without them, guesses are looked up in the text so far.")
    private Path heads;

    @Option(
            names = "--weights",
            paramLabel = "TYPE",
            converter = WeightName.class,
            description =
                    "Convert the model's matrices on load: f32, f16, bf16, q8_0, q4_0, q4_1, or on the CPU r8 (8 bits, one"
                            + " scale a row).")
    private WeightType weights;

    @Option(
            names = "--heads-weights",
            paramLabel = "TYPE",
            converter = WeightName.class,
            description =
                    "The same for the matrices of the heads. If left out, q8_0 on the CPU where the file has bf16 or f16 (but with --accept typical).")
    private WeightType headWeights;

    @Option(
            names = "--backend",
            paramLabel = "BACKEND",
            converter = BackendName.class,
            defaultValue = "auto",
            description =
                    "cpu, cuda, or auto: CUDA where a GPU can be used, else the CPU ('hydra4j devices' says what is"
                            + " there). Default: auto.")
    private BackendKind backend;

    @Option(
            names = "--kv",
            paramLabel = "TYPE",
            converter = KvName.class,
            defaultValue = "auto",
            description = "How keys and values are kept: f32, f16 (CUDA alone), or auto: f16 on CUDA unless the weights"
                    + " are f32, else f32. Default: auto.")
    private KvType kv;

    @Option(
            names = "--context",
            paramLabel = "N",
            description =
                    "The most tokens of prompt and answer: less memory, and of models with LongRoPE the angles of short texts"
                            + " where it is at most their original context. Default: all that the model has.")
    private Integer context;

    @Option(
            names = "--kv-tokens",
            paramLabel = "N",
            description =
                    "Tokens whose keys and values there is room for: those of the prompt, those that may follow it and "
                            + Tree.MAX_NODES + " more. Default: 16 contexts, on a GPU fewer where its memory is short.")
    private Long kvTokens;

    @Option(
            names = "--draft-tables",
            description = "Tables in the place of the heads' products with the embedding: more memory for less reading"
                    + " (Hydra, Hydra++). The output stays the same.")
    private boolean draftTables;

    @Option(
            names = "--threads",
            paramLabel = "N",
            description = "Threads that compute on the CPU. Default: one per core.")
    private Integer threads;

    /** @throws UsageException if a value is out of range */
    void check() {
        if (threads != null) {
            UsageException.requireRange("--threads", threads, 1, Backend.MAX_THREADS);
        }
        if (context != null) {
            UsageException.requireRange("--context", context, 1, DecoderConfig.MAX_CONTEXT);
        }
        if (kvTokens != null) {
            UsageException.requireRange("--kv-tokens", kvTokens, 1, OpenOptions.MAX_KV_TOKENS);
        }
    }

    /** @throws UsageException if messages have no chat template: the model that comes with the jar has none */
    void requireTemplate(ChatArguments chat) {
        if (model == null && !chat.hasTemplate()) {
            throw new UsageException("messages without --model: the model that comes with Hydra4J was not made for"
                    + " conversations; name one that was");
        }
    }

    /** Whether heads are named, or come with the model of the jar. */
    boolean hasHeads() {
        return heads != null || model == null;
    }

    /**
     * Opens what the options name.
     *
     * @param withHeads whether the model that comes with the jar gets its heads
     * @param more sets the options that only some commands have
     * @throws HydraException if it cannot be opened
     */
    HydraModel open(Console console, boolean withHeads, UnaryOperator<OpenOptions.Builder> more) {
        try (DefaultModel found = model == null ? DefaultModel.open() : null;
                LoadProgress progress = new LoadProgress(console)) {
            boolean foundHeads = found != null && heads == null && withHeads;
            OpenOptions.Builder options = OpenOptions.builder()
                    .heads(foundHeads ? found.heads() : heads)
                    .backend(backend)
                    .threads(threads == null ? 0 : threads)
                    .weights(weights)
                    .headWeights(headWeights)
                    .eightBitHeads(true)
                    .kv(kv)
                    .context(context == null ? 0 : context)
                    .kvTokens(kvTokens == null ? 0 : kvTokens)
                    .draftTables(draftTables)
                    .progress(progress);
            return HydraModel.open(
                    found == null ? model : found.model(), more.apply(options).build());
        }
    }
}
