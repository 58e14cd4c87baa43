package io.hydra4j.cli;

import io.hydra4j.Calibration;
import io.hydra4j.DraftSource;
import io.hydra4j.GenerationOptions;
import io.hydra4j.GenerationResult;
import io.hydra4j.HydraException;
import io.hydra4j.HydraModel;
import io.hydra4j.Speculation;
import io.hydra4j.decode.Acceptance;
import io.hydra4j.decode.Sampling;
import io.hydra4j.decode.Tree;
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
            "  hydra4j generate --model chat-model.gguf --chat \"Why is the sky blue?\"",
            "  git show HEAD:Main.java | hydra4j generate --stop \"}\" --json"
        })
final class GenerateCommand implements Callable<Integer> {
    private final Console console;

    @Mixin
    private Prompts prompts;

    @Mixin
    private ModelArguments model;

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
                    "What a step guesses: dynamic:N, the N nodes that are likeliest to be right, chain:N, default (the published tree of 64 nodes), or a file that"
                            + " tune-tree has written or with a JSON list of paths, such as [[0],[0,0],[1]].")
    private String tree;

    @Option(
            names = "--draft",
            paramLabel = "WHAT",
            converter = DraftName.class,
            defaultValue = "auto",
            description = "What guesses: heads, lookup (how the text went on where its end was before), heads+lookup in"
                    + " dynamic trees, or auto: what is there. The output is the same with all. Default: auto.")
    private DraftSource draft;

    @Option(
            names = "--draft-text",
            paramLabel = "FILE",
            description = "A text in which the lookup looks, too, such as the file that is being edited; may be given"
                    + " several times.")
    private List<Path> draftTexts = List.of();

    @Option(
            names = "--max-tokens",
            paramLabel = "N",
            defaultValue = "256",
            description = "The most tokens. Default: 256.")
    private int maxTokens;

    @Mixin
    private SamplingArguments sampling;

    @Option(
            names = "--accept",
            paramLabel = "HOW",
            converter = AcceptanceName.class,
            defaultValue = "exact",
            description =
                    "Which guesses are kept: exact, or typical[:EPSILON[,ALPHA]], which is lossy: guesses that are"
                            + " likely enough, at --temperature or 0.7, so that steps emit more; the text is not the model's own,"
                            + " and depends on what is guessed. Defaults: exact; EPSILON 0.09, ALPHA its square root.")
    private Acceptance acceptance;

    @Option(names = "--stop", paramLabel = "STRING", description = "End before this text; may be given several times.")
    private List<String> stop = List.of();

    @Option(names = "--ignore-eos", description = "Continue past end-of-sequence tokens.")
    private boolean ignoreEnd;

    @Option(
            names = "--calibration",
            paramLabel = "FILE",
            description = "What steps cost here, as --save-calibration has written it with the same model, heads and"
                    + " options: which tree of heads (--draft heads) is fastest is known from the first token on. The output"
                    + " stays the same.")
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
        boolean isFixed = TreeName.DEFAULT.equals(tree) || given != null && !given.isDynamic();
        if (draft == DraftSource.HEADS_AND_LOOKUP && isFixed) {
            throw new UsageException(
                    "--draft heads+lookup fills dynamic trees alone: give --tree dynamic:N, or leave" + " --tree out");
        }
        List<String> texts =
                draftTexts.stream().map(file -> TextSource.read(file, console)).toList();
        try (HydraModel opened = open()) {
            opened.info().notices().forEach(console::message);
            if (!stop.isEmpty() && opened.tokenizer().isEmpty()) {
                throw new HydraException(opened.info().path() + " has no tokenizer: leave out --stop");
            }
            List<int[]> ids = prompts.encode(opened, console);
            if (savedCalibration != null) {
                opened.calibrate().save(savedCalibration);
            }
            checkDraft(opened);
            return generateAll(opened, ids, chosen(opened, given), texts);
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
        model.check();
        sampling.check(json);
        if (calibration != null && savedCalibration != null) {
            throw new UsageException(
                    "--calibration with --save-calibration, which measures anew: leave out one of them");
        }
        if (stop.contains("")) {
            throw new UsageException("--stop is empty: leave it out");
        }
        stop.forEach(TextSource::argument);
        if (!draftTexts.isEmpty() && draft == DraftSource.HEADS) {
            throw new UsageException("--draft-text with --draft heads, which looks nothing up: leave out one of them");
        }
        if (tree != null && speculation == Speculation.OFF) {
            throw new UsageException("--tree with --speculation off, which has no tree: leave out one of them");
        }
        if (acceptance.isTypical() && speculation == Speculation.OFF) {
            throw new UsageException(
                    "--accept typical with --speculation off, which has no guesses: leave out one of them");
        }
        acceptance = sampling.atTemperature(acceptance);
    }

    /** What only a model's heads tell. */
    private void checkDraft(HydraModel opened) {
        boolean needsHeads = draft == DraftSource.HEADS || draft == DraftSource.HEADS_AND_LOOKUP;
        if (needsHeads && opened.info().heads().isEmpty() && speculation != Speculation.OFF) {
            throw new UsageException("--draft " + DraftName.of(draft) + " without draft heads: give --heads, or use"
                    + " --draft lookup");
        }
        if (!draftTexts.isEmpty() && opened.tokenizer().isEmpty()) {
            throw new HydraException(opened.info().path() + " has no tokenizer: leave out --draft-text");
        }
    }

    private HydraModel open() {
        return model.open(
                console,
                speculation != Speculation.OFF,
                options -> options.calibration(calibration == null ? null : Calibration.load(calibration)));
    }

    private int generateAll(HydraModel opened, List<int[]> ids, Tree chosen, List<String> texts) {
        try (Interruption interruption = new Interruption()) {
            GenerationOptions options = GenerationOptions.builder()
                    .speculation(speculation)
                    .tree(chosen)
                    .draft(draft)
                    .draftTexts(texts)
                    .maxTokens(maxTokens)
                    .stop(stop)
                    .ignoreEnd(ignoreEnd)
                    .acceptance(acceptance)
                    .cancelled(interruption)
                    .build();
            Sampling first = sampling.first(acceptance);
            for (int i = 0; i < ids.size() && !interruption.getAsBoolean(); i++) {
                Sampling own = first.withSeed(first.seed() + i);
                generate(opened, ids.get(i), sampling.tell(options).withSampling(own));
            }
            return interruption.getAsBoolean() ? Interruption.EXIT_CODE : Main.OK;
        }
    }

    private void generate(HydraModel opened, int[] prompt, GenerationOptions options) {
        if (json) {
            GenerationResult result = opened.generate(prompt, options);
            console.print(new ResultJson(result, options, opened.info().backend()).line(console.outTerminal()) + "\n");
        } else if (opened.tokenizer().isEmpty()) {
            console.print(Arrays.toString(opened.generate(prompt, options).ids()) + "\n");
        } else if (console.outTerminal()) {
            LiveText live = new LiveText(console, console.colour() && !noColour);
            try {
                GenerationResult result = opened.generate(prompt, options, live::show);
                live.end();
                console.message(Summary.of(result, acceptance));
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
