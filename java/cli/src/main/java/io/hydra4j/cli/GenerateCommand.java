package io.hydra4j.cli;

import io.hydra4j.Calibration;
import io.hydra4j.GenerationOptions;
import io.hydra4j.GenerationResult;
import io.hydra4j.HydraException;
import io.hydra4j.HydraModel;
import io.hydra4j.OpenOptions;
import io.hydra4j.Speculation;
import io.hydra4j.decode.Tree;
import io.hydra4j.runtime.Backend;
import io.hydra4j.runtime.BackendKind;
import io.hydra4j.runtime.KvType;
import io.hydra4j.runtime.WeightType;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Continues prompts. */
@Command(
        name = "generate",
        description = "Continues a prompt. Without --model: Java code, with the small model that comes with Hydra4J.",
        footerHeading = "%nExamples:%n",
        footer = {
            "  hydra4j generate \"public static int fibonacci(int n) {\"",
            "  hydra4j generate --model model.gguf --heads heads/ --prompt-file prompt.txt --max-tokens 512",
            "  git show HEAD:Main.java | hydra4j generate --stop \"}\" --json"
        })
final class GenerateCommand implements Callable<Integer> {
    private final Console console;

    @Mixin
    private Prompts prompts;

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
            description = "Convert the model's matrices on load: f32, f16, bf16, q8_0, q4_0 or q4_1.")
    private WeightType weights;

    @Option(
            names = "--heads-weights",
            paramLabel = "TYPE",
            converter = WeightName.class,
            description = "The same for the matrices of the heads.")
    private WeightType headWeights;

    @Option(
            names = "--speculation",
            paramLabel = "WHEN",
            converter = SpeculationName.class,
            defaultValue = "auto",
            description =
                    "Whether to guess tokens: on, off, or auto, where it is faster by what is seen while decoding."
                            + " Without heads, guesses are how the text went on before. The output is the same with all."
                            + " Default: auto.")
    private Speculation speculation;

    @Option(
            names = "--tree",
            paramLabel = "TREE",
            description =
                    "What a step guesses: chain:N, default (the published tree of 64 nodes), or a file with a JSON"
                            + " list of paths, such as [[0],[0,0],[1]].")
    private String tree;

    @Option(
            names = "--max-tokens",
            paramLabel = "N",
            defaultValue = "256",
            description = "The most tokens. Default: 256.")
    private int maxTokens;

    @Option(names = "--stop", paramLabel = "STRING", description = "End before this text; may be given several times.")
    private List<String> stop = List.of();

    @Option(names = "--ignore-eos", description = "Continue past end-of-sequence tokens.")
    private boolean ignoreEnd;

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
            names = "--kv-tokens",
            paramLabel = "N",
            description = "Tokens whose keys and values there is room for: those of the prompt, --max-tokens and "
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
            description = "Threads that compute on the CPU. Default: one per processor.")
    private Integer threads;

    @Option(
            names = "--calibration",
            paramLabel = "FILE",
            description = "What steps cost here, as --save-calibration has written it with the same model, heads and"
                    + " options: what to guess is known from the first token on. The output stays the same.")
    private Path calibration;

    @Option(
            names = "--save-calibration",
            paramLabel = "FILE",
            description = "Measure what steps cost here, for about two seconds before the first token, and write it.")
    private Path savedCalibration;

    @Option(names = "--json", description = "Write one JSON object a line for each prompt, with ids and statistics.")
    private boolean json;

    @Option(
            names = "--no-color",
            description = "Show the text without shades; so does the environment variable NO_COLOR.")
    private boolean noColour;

    GenerateCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        check();
        prompts.read(console);
        Tree given = TreeName.read(tree, console);
        try (HydraModel opened = open()) {
            opened.info().notices().forEach(console::message);
            if (!stop.isEmpty() && opened.tokenizer().isEmpty()) {
                throw new HydraException(opened.info().path() + " has no tokenizer: leave out --stop");
            }
            List<int[]> ids = prompts.encode(opened);
            if (savedCalibration != null) {
                opened.calibrate().save(savedCalibration);
            }
            return generateAll(opened, ids, chosen(opened, given));
        }
    }

    /** Null leaves the tree to the model, as it is without heads: the default tree has the depth of heads. */
    private Tree chosen(HydraModel opened, Tree given) {
        boolean isDefault =
                TreeName.DEFAULT.equals(tree) && opened.info().heads().isPresent();
        return isDefault ? opened.tree() : given;
    }

    private void check() {
        if (maxTokens < 1) {
            throw new UsageException("--max-tokens is " + maxTokens + ", must be at least 1");
        }
        if (threads != null) {
            UsageException.requireRange("--threads", threads, 1, Backend.MAX_THREADS);
        }
        if (kvTokens != null) {
            UsageException.requireRange("--kv-tokens", kvTokens, 1, OpenOptions.MAX_KV_TOKENS);
        }
        if (calibration != null && savedCalibration != null) {
            throw new UsageException(
                    "--calibration with --save-calibration, which measures anew: leave out one of them");
        }
        if (stop.contains("")) {
            throw new UsageException("--stop is empty: leave it out");
        }
        stop.forEach(TextSource::argument);
        if (tree != null && speculation == Speculation.OFF) {
            throw new UsageException("--tree with --speculation off, which has no tree: leave out one of them");
        }
    }

    private HydraModel open() {
        try (DefaultModel found = model == null ? DefaultModel.open() : null;
                LoadProgress progress = new LoadProgress(console)) {
            boolean foundHeads = found != null && heads == null && speculation != Speculation.OFF;
            return HydraModel.open(
                    found == null ? model : found.model(),
                    OpenOptions.builder()
                            .heads(foundHeads ? found.heads() : heads)
                            .backend(backend)
                            .threads(threads == null ? 0 : threads)
                            .weights(weights)
                            .headWeights(headWeights)
                            .kv(kv)
                            .kvTokens(kvTokens == null ? 0 : kvTokens)
                            .draftTables(draftTables)
                            .calibration(calibration == null ? null : Calibration.load(calibration))
                            .progress(progress)
                            .build());
        }
    }

    private int generateAll(HydraModel opened, List<int[]> ids, Tree chosen) {
        try (Interruption interruption = new Interruption()) {
            GenerationOptions options = GenerationOptions.builder()
                    .speculation(speculation)
                    .tree(chosen)
                    .maxTokens(maxTokens)
                    .stop(stop)
                    .ignoreEnd(ignoreEnd)
                    .cancelled(interruption)
                    .build();
            for (int i = 0; i < ids.size() && !interruption.getAsBoolean(); i++) {
                generate(opened, ids.get(i), options);
            }
            return interruption.getAsBoolean() ? Interruption.EXIT_CODE : Main.OK;
        }
    }

    private void generate(HydraModel opened, int[] prompt, GenerationOptions options) {
        if (json) {
            GenerationResult result = opened.generate(prompt, options);
            console.print(
                    new ResultJson(result, speculation, opened.info().backend()).line(console.outTerminal()) + "\n");
        } else if (opened.tokenizer().isEmpty()) {
            console.print(Arrays.toString(opened.generate(prompt, options).ids()) + "\n");
        } else if (console.outTerminal()) {
            LiveText live = new LiveText(console, console.colour() && !noColour);
            try {
                GenerationResult result = opened.generate(prompt, options, live::show);
                live.end();
                console.message(Summary.of(result));
            } catch (HydraException e) {
                live.end();
                throw e;
            }
        } else {
            GenerationResult result = opened.generate(prompt, options, chunk -> console.print(chunk.text()));
            if (!result.text().endsWith("\n")) {
                console.print("\n");
            }
        }
    }
}
