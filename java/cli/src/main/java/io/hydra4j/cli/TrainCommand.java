package io.hydra4j.cli;

import io.hydra4j.decode.Sampling;
import io.hydra4j.train.HeadTraining;
import io.hydra4j.train.SelfDistillation;
import io.hydra4j.train.TrainingOptions;
import io.hydra4j.train.TrainingResult;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** The command {@code train}. */
@Command(
        name = "train",
        description =
                "Trains draft heads for a model, which stays as it is: Medusa, Hydra or Hydra++. Leaves a folder for"
                        + " --heads, with a checkpoint to resume from, a log (a JSON object a line) and a tree for --tree.",
        footerHeading = "%nExamples:%n",
        footer = {
            "  hydra4j train --model model.gguf --data text.jsonl.xz --output heads --tokens 10000000",
            "  hydra4j train --model model.gguf --data text.jsonl.xz --output heads --tokens 10000000 --resume",
            "  hydra4j generate --model model.gguf --heads heads --tree heads/tree.json \"prompt\""
        })
final class TrainCommand implements Callable<Integer> {
    /** How long Ctrl-C waits for a step to end and a checkpoint to be written. */
    private static final long PATIENCE_MILLIS = 120_000;

    private static final long DISTILL_TOKENS = 1_000_000;

    private final Console console;

    @Option(
            names = "--model",
            required = true,
            paramLabel = "PATH",
            description = "The base model: a GGUF file or a Hugging Face folder.")
    private Path model;

    @Option(
            names = "--data",
            arity = "1..*",
            paramLabel = "FILE",
            description =
                    "Text to learn from: plain, or .jsonl files with a field \"text\"; also compressed, .gz or .xz.")
    private List<Path> data = List.of();

    @Option(
            names = "--self-distill",
            description =
                    "The model writes the text that its heads learn from, into the folder: after prompts from --data, or"
                            + " after nothing.")
    private boolean selfDistill;

    @Option(names = "--distill-tokens", paramLabel = "N", description = "Tokens that it writes. Default: 1000000.")
    private Long distillTokens;

    @Option(
            names = "--temperature",
            paramLabel = "T",
            description = "Temperature of what it writes; 0 for its best tokens. Default: 1.")
    private Float temperature;

    @Option(
            names = "--held-out",
            arity = "1..*",
            paramLabel = "FILE",
            description = "Such text to measure on. Default: every 20th document of the data, which is not learned from"
                    + " then.")
    private List<Path> heldOut = List.of();

    @Option(
            names = "--output",
            required = true,
            paramLabel = "FOLDER",
            description = "The folder of the heads; made if it does not exist.")
    private Path output;

    @Option(names = "--resume", description = "Go on from the folder's checkpoint, with the options of its run.")
    private boolean resume;

    @Option(
            names = "--plot",
            paramLabel = "FILE",
            description =
                    "A plot against tokens, .png or .svg: loss on the left axis, tokens a step on held-out text on the right"
                            + " one, in one picture, which shows where the one falls and the other no longer rises.")
    private Path plot;

    @Mixin
    private TrainArguments arguments;

    TrainCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        check();
        TrainingOptions options = arguments.options();
        if (plot != null) {
            PlotFile.require(plot);
        }
        // The output folder is made before anything is drawn.
        if (plot != null && !isIn(output, plot)) {
            OutputFile.require(plot);
        }
        // All of it before the interruption is closed: then Ctrl-C ends the process.
        try (Interruption interruption = new Interruption(() -> {}, PATIENCE_MILLIS)) {
            List<Path> texts = data;
            if (selfDistill) {
                texts = List.of(output.resolve("self-distilled.jsonl"));
                if (!distil(texts.get(0), options, interruption)) {
                    console.message("interrupted: the same command goes on");
                    return Interruption.EXIT_CODE;
                }
            }
            TrainingResult result = train(texts, options, interruption);
            if (plot != null) {
                TrainingPlot.write(plot, output.resolve("log.jsonl"), String.valueOf(model.getFileName()));
            }
            console.print(summary(result));
            return result.complete() ? Main.OK : Interruption.EXIT_CODE;
        }
    }

    private static boolean isIn(Path folder, Path file) {
        return folder.toAbsolutePath()
                .normalize()
                .equals(file.toAbsolutePath().normalize().getParent());
    }

    private TrainingResult train(List<Path> texts, TrainingOptions options, Interruption interruption) {
        try (TrainProgress progress = new TrainProgress(console)) {
            HeadTraining training = HeadTraining.of(model, texts, output, options)
                    .withHeldOut(heldOut)
                    .withListener(progress)
                    .withCancelled(interruption);
            return resume ? training.resume() : training.run();
        }
    }

    private void check() {
        if (data.isEmpty() && !selfDistill) {
            throw new UsageException("no --data: give files of text, or --self-distill");
        }
        if (!selfDistill && (distillTokens != null || temperature != null)) {
            throw new UsageException("--distill-tokens and --temperature are for --self-distill: give it too");
        }
        if (distillTokens != null) {
            UsageException.requireRange("--distill-tokens", distillTokens, 1, SelfDistillation.MAX_TOKENS);
        }
        if (temperature != null
                && temperature != 0
                && !(temperature >= Sampling.MIN_TEMPERATURE && temperature <= Sampling.MAX_TEMPERATURE)) {
            throw new UsageException("--temperature is " + temperature + ", must be 0, or from "
                    + Sampling.MIN_TEMPERATURE + " to " + Sampling.MAX_TEMPERATURE);
        }
    }

    /** Whether all texts were written, and not interrupted. */
    private boolean distil(Path texts, TrainingOptions options, Interruption interruption) {
        try (LoadProgress progress = new LoadProgress(console, "writing")) {
            return SelfDistillation.of(model, texts, distillTokens == null ? DISTILL_TOKENS : distillTokens)
                    .withPrompts(data)
                    .withLength(options.sequenceLength())
                    .withTemperature(temperature == null ? 1 : temperature)
                    .withSeed(options.seed())
                    .withBackend(options.backend())
                    .withThreads(options.threads())
                    .withProgress(progress)
                    .withCancelled(interruption)
                    .write();
        }
    }

    private String summary(TrainingResult result) {
        StringBuilder lines = new StringBuilder();
        lines.append(String.format(
                Locale.ROOT,
                "%s: %s%,d steps, %,d tokens, %s%s%n",
                result.heads(),
                result.complete() ? "" : "interrupted, go on with --resume: ",
                result.steps(),
                result.tokens(),
                TrainProgress.time(result.seconds()),
                Double.isNaN(result.lastLoss()) ? "" : String.format(Locale.ROOT, "; loss %.3f", result.lastLoss())));
        result.tree()
                .ifPresent(tree -> lines.append(String.format(
                        Locale.ROOT,
                        "%s: %d nodes, %.3f tokens a step on text that it was not tuned on%n",
                        output.resolve("tree.json"),
                        tree.chosen().nodes(),
                        tree.chosen().acceptanceLength())));
        return lines.toString();
    }
}
