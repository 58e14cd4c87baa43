package io.hydra4j.cli;

import io.hydra4j.HydraException;
import io.hydra4j.decode.Tree;
import io.hydra4j.heads.HeadsFiles;
import io.hydra4j.heads.HeadsTensors;
import io.hydra4j.model.DecoderModel;
import io.hydra4j.model.ModelFiles;
import io.hydra4j.runtime.Backend;
import io.hydra4j.runtime.WeightType;
import io.hydra4j.text.Tokenizer;
import io.hydra4j.tuning.ConversionText;
import io.hydra4j.tuning.HeadsConversion;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.concurrent.CancellationException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** The command {@code convert}. */
@Command(
        name = "convert",
        description =
                "Makes a compact file of draft heads: quantised, with a draft vocabulary and trees that suit a text.")
final class ConvertCommand implements Callable<Integer> {
    private static final int[] SHOWN = {4, 8, 16, 32, 63};

    private final Console console;

    @Option(
            names = "--model",
            required = true,
            paramLabel = "PATH",
            description = "The base model: a GGUF file or a Hugging Face folder.")
    private Path model;

    @Option(
            names = "--heads",
            required = true,
            paramLabel = "PATH",
            description = "The draft heads: a folder as they are published, or a compact file.")
    private Path heads;

    @Option(
            names = "--text",
            required = true,
            paramLabel = "FILE",
            description = "Text like what the model will write: plain, or a .jsonl file with a field \"text\".")
    private Path text;

    @Option(names = "--output", required = true, paramLabel = "FILE", description = "The file to write.")
    private Path output;

    @Option(
            names = "--type",
            paramLabel = "TYPE",
            defaultValue = "q8_0",
            converter = WeightName.class,
            description = "Type of the matrices: f32, f16, bf16, q8_0, q4_0 or q4_1. Default: q8_0.")
    private WeightType type;

    @Option(
            names = "--vocabulary",
            paramLabel = "N|auto",
            defaultValue = "auto",
            converter = CountName.class,
            description = "Size of the draft vocabulary, or auto: the one that decodes fastest here. Default: auto.")
    private int vocabulary;

    @Option(
            names = "--nodes",
            paramLabel = "N",
            defaultValue = "64",
            description = "Nodes of the largest tree, the root included. Default: 64.")
    private int nodes;

    @Option(
            names = "--tokens",
            paramLabel = "N",
            defaultValue = "32768",
            description = "About how many tokens the base writes to measure on. Default: 32768.")
    private int tokens;

    @Option(names = "--threads", paramLabel = "N", description = "Threads that compute. Default: one per core.")
    private Integer threads;

    ConvertCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        UsageException.requireRange("--nodes", nodes, 2, Tree.MAX_NODES);
        UsageException.requireRange("--tokens", tokens, 1, 1 << 24);
        if (vocabulary > 0) {
            UsageException.requireRange("--vocabulary", vocabulary, HeadsTensors.MIN_VOCABULARY, Integer.MAX_VALUE);
        }
        if (threads != null) {
            UsageException.requireRange("--threads", threads, 1, Backend.MAX_THREADS);
        }
        OutputFile.require(output);
        ModelFiles files = ModelFiles.open(model);
        HeadsTensors tensors = HeadsFiles.open(heads, files.config());
        String summary;
        try (ScratchFolder scratch = ScratchFolder.create("hydra4j-convert");
                Interruption interruption = new Interruption(scratch::close);
                Tokenizer tokenizer = Tokenizer.of(
                                model, files::metadata, files.config().vocabulary())
                        .orElseThrow(this::noTokenizer);
                LoadProgress progress = new LoadProgress(console, "measuring");
                Backend backend = Backend.openCpu(threads == null ? 0 : threads);
                DecoderModel base = DecoderModel.load(backend, files, null, fraction -> {})) {
            ConversionText sample = ConversionText.of(String.valueOf(text), Documents.read(text, console), tokenizer);
            String name = tensors.config().baseModel().isEmpty()
                    ? String.valueOf(model.getFileName())
                    : tensors.config().baseModel();
            var outcome = new HeadsConversion(base, tensors, sample, type, nodes)
                    .run(vocabulary, tokens, name, output, scratch.path(), fraction -> {
                        interruption.check();
                        progress.accept(fraction);
                    });
            summary = summary(sample, outcome);
        } catch (CancellationException e) {
            return Interruption.EXIT_CODE;
        }
        console.print(summary);
        return Main.OK;
    }

    private HydraException noTokenizer() {
        return NoTokenizer.in(model, "give a model that has one");
    }

    private String summary(ConversionText sample, HeadsConversion.Outcome outcome) {
        StringBuilder lines = new StringBuilder();
        var chosen = outcome.chosen();
        line(lines, "%s: %,d bytes, %s", output, bytes(), type.name().toLowerCase(Locale.ROOT));
        line(
                lines,
                "text: %,d tokens; written by the model: %,d tokens, a quarter of them held out",
                sample.tokens(),
                outcome.tokens());
        line(lines, "draft vocabulary  tokens per step (64 nodes)  tokens per second");
        for (var candidate : outcome.candidates()) {
            line(
                    lines,
                    "%16d  %26.3f  %17.0f%s",
                    candidate.size(),
                    candidate.acceptanceLength(Tree.MAX_NODES),
                    candidate.tokensPerSecond(),
                    candidate == chosen ? "  chosen" : "");
        }
        Tree published = Tree.DEFAULT.truncated(
                chosen.order().paths().stream().mapToInt(List::size).max().orElse(0));
        line(
                lines,
                "published tree: %.3f tokens per step before, %.3f now",
                outcome.original().acceptanceLength(published),
                chosen.heldOut().acceptanceLength(published));
        line(lines, "tree nodes  tokens per step");
        for (int size : SHOWN) {
            if (size <= nodes) {
                line(lines, "%10d  %15.3f", size, chosen.acceptanceLength(size));
            }
        }
        return lines.toString();
    }

    private long bytes() {
        try {
            return Files.size(output);
        } catch (IOException e) {
            throw new HydraException(output + ": cannot be read: " + e.getMessage(), e);
        }
    }

    private static void line(StringBuilder lines, String format, Object... values) {
        lines.append(String.format(Locale.ROOT, format, values)).append('\n');
    }
}
