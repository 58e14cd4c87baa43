package io.hydra4j.cli;

import io.hydra4j.GenerationOptions;
import io.hydra4j.HydraException;
import io.hydra4j.HydraModel;
import io.hydra4j.decode.Sampling;
import io.hydra4j.format.WholeFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CancellationException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** The command {@code bench}. */
@Command(
        name = "bench",
        description =
                "Compares ways of decoding with plain decoding, on your model, heads and prompts, and says whether what differs is"
                        + " more than chance.",
        footerHeading = "%nExamples:%n",
        footer = {
            "  hydra4j bench",
            "  hydra4j bench --model model.gguf --heads heads/ --prompts prompts.jsonl --ways auto,tree.json,lookup --html report.html"
        })
final class BenchCommand implements Callable<Integer> {
    private final Console console;

    @Mixin
    private ModelArguments model;

    @Option(
            names = "--prompts",
            paramLabel = "FILE",
            description =
                    "A .jsonl file with a prompt a line, an object with a field \"text\" or an array of token ids; any other file is"
                            + " one prompt. Default: 16 beginnings of Java files.")
    private Path prompts;

    @Option(
            names = "--ways",
            paramLabel = "WAY,...",
            split = ",",
            description =
                    "What to compare with plain decoding: auto, heads, heads+lookup, lookup, nodes:N (the N nodes of which"
                            + " the heads expect most), typical[:EPSILON], or what --tree of generate takes, such as a file of tune-tree"
                            + " or dynamic:N; after heads:, lookup: or heads+lookup: with these guesses. Default: auto, nodes:4,"
                            + " nodes:16 and lookup; without heads auto and lookup.")
    private List<String> ways;

    @Option(
            names = "--tokens",
            paramLabel = "N",
            defaultValue = "128",
            description = "The most tokens after a prompt. Default: 128.")
    private int tokens;

    @Option(
            names = "--runs",
            paramLabel = "N",
            defaultValue = "2",
            description = "How often each way decodes each prompt. Default: 2.")
    private int runs;

    @Option(
            names = "--temperature",
            paramLabel = "T",
            defaultValue = "0",
            description = "0: the model's best tokens (greedy); above: sampled ones, the same in all ways. Default: 0.")
    private float temperature;

    @Option(
            names = "--seed",
            paramLabel = "N",
            defaultValue = "0",
            description = "Decides what is drawn; the second prompt has N + 1, and so on. Default: 0.")
    private long seed;

    @Option(names = "--ignore-eos", description = "Continue past end-of-sequence tokens.")
    private boolean ignoreEnd;

    @Option(names = "--json", paramLabel = "FILE", description = "Write all figures, with those of every prompt.")
    private Path json;

    @Option(names = "--html", paramLabel = "FILE", description = "Write one page with plots, which needs no network.")
    private Path html;

    @Option(
            names = "--plot",
            paramLabel = "FILE",
            description = "Write a plot of the speeds beside plain decoding: .png or .svg.")
    private Path plot;

    BenchCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        check();
        List<Way> compared = Ways.of(ways == null ? Ways.usual(model.hasHeads()) : ways, console);
        BenchPrompts given = BenchPrompts.read(prompts, console);
        BenchReport report;
        try (Interruption interruption = new Interruption();
                HydraModel opened = model.open(console, true, options -> options);
                LoadProgress progress = new LoadProgress(console, "measuring")) {
            opened.info().notices().forEach(console::message);
            List<int[]> ids = new ArrayList<>(given.encode(opened));
            GenerationOptions limits = GenerationOptions.DEFAULT
                    .withMaxTokens(tokens)
                    .withSampling(Sampling.of(temperature, seed))
                    .withIgnoreEnd(ignoreEnd)
                    .withCancelled(interruption);
            Comparison comparison = Comparison.measure(opened, compared, ids, runs, limits, progress);
            report = BenchReport.of(comparison, opened.info(), given.source(), runs, limits);
        } catch (CancellationException e) {
            return Interruption.EXIT_CODE;
        }
        write(report);
        console.print(BenchTable.of(report));
        if (report.comparison().defects() > 0) {
            throw new HydraException(report.comparison().defects()
                    + " outputs are not those of plain decoding, which should never be: please report it");
        }
        return Main.OK;
    }

    private void check() {
        model.check();
        UsageException.requireRange("--tokens", tokens, Comparison.LEAST_TOKENS, 1 << 20);
        UsageException.requireRange("--runs", runs, 1, 1000);
        if (temperature != 0) {
            SamplingArguments.requireRange(
                    "--temperature", temperature, Sampling.MIN_TEMPERATURE, Sampling.MAX_TEMPERATURE, "0, or ");
        }
        if (html != null) {
            PlotFile.requireGraphics(ModuleLayer.boot());
        }
        if (plot != null) {
            PlotFile.require(plot);
        }
        OutputFile.require(json);
        OutputFile.require(html);
        OutputFile.require(plot);
    }

    /** The figures first: a plot may fail, as where there are no fonts. */
    private void write(BenchReport report) {
        if (json != null) {
            String line = Json.line(false, generator -> {
                generator.useDefaultPrettyPrinter();
                BenchJson.write(generator, report);
            });
            writeText(json, line + "\n");
        }
        if (html != null) {
            writeText(html, BenchPage.of(report));
        }
        if (plot != null) {
            BenchCharts.write(plot, report);
        }
    }

    private static void writeText(Path file, String text) {
        WholeFile.write(file, out -> out.write(text.getBytes(StandardCharsets.UTF_8)));
    }
}
