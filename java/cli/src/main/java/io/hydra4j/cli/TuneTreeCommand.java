package io.hydra4j.cli;

import io.hydra4j.HydraModel;
import io.hydra4j.MeasuredTree;
import io.hydra4j.TunedTree;
import io.hydra4j.TuningOptions;
import io.hydra4j.decode.Tree;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.CancellationException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** The command {@code tune-tree}. */
@Command(
        name = "tune-tree",
        description =
                "Finds the tree with which given heads decode a kind of text fastest on this machine, and writes it for"
                        + " --tree. One half of the text tunes, the other half measures.",
        footerHeading = "%nExamples:%n",
        footer = {
            "  hydra4j tune-tree --model model.gguf --heads heads/ --text prompts.jsonl --output tree.json",
            "  hydra4j generate --model model.gguf --heads heads/ --tree tree.json \"prompt\""
        })
final class TuneTreeCommand implements Callable<Integer> {
    /** Sizes that the table shows, beside the one that was chosen. */
    private static final Set<Integer> SHOWN = Set.of(1, 2, 4, 8, 16, 32, 63, 64);

    private final Console console;

    @Mixin
    private ModelArguments model;

    @Option(
            names = "--text",
            required = true,
            paramLabel = "FILE",
            description = "Text like what the model will write: plain, or a .jsonl file with a field \"text\".")
    private Path text;

    @Option(names = "--output", required = true, paramLabel = "FILE", description = "The JSON file to write.")
    private Path output;

    @Option(
            names = "--plot",
            paramLabel = "FILE",
            description = "A plot of tokens a step and tokens a second against nodes: .png or .svg.")
    private Path plot;

    @Option(
            names = "--nodes",
            paramLabel = "N|auto",
            defaultValue = "auto",
            converter = CountName.class,
            description =
                    "Nodes of the tree, the root included: of trees of this size the one of which most is accepted. auto:"
                            + " the size and depth that decode fastest here. Default: auto.")
    private int nodes;

    @Option(
            names = "--max-nodes",
            paramLabel = "N",
            defaultValue = "64",
            description = "Nodes of the largest tree that is looked at. Default: 64.")
    private int maxNodes;

    @Option(
            names = "--tokens",
            paramLabel = "N",
            defaultValue = "32768",
            description = "About how many tokens the model writes to measure on. Default: 32768.")
    private int tokens;

    @Option(
            names = "--max-tokens",
            paramLabel = "N",
            defaultValue = "256",
            description = "The most tokens after one prompt, best as in the texts that the tree is for. Default: 256.")
    private int maxTokens;

    TuneTreeCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        check();
        List<String> documents = Documents.read(text, console);
        TunedTree tuned;
        try (Interruption interruption = new Interruption();
                HydraModel opened = model.open(console, true, options -> options);
                LoadProgress progress = new LoadProgress(console, "measuring")) {
            opened.info().notices().forEach(console::message);
            TuningOptions options = TuningOptions.DEFAULT
                    .withMaxNodes(maxNodes)
                    .withTokens(tokens)
                    .withMaxTokens(maxTokens)
                    .withProgress(fraction -> {
                        interruption.check();
                        progress.accept(fraction);
                    });
            tuned = opened.tuneTree(documents, nodes == 0 ? options : options.withNodes(nodes));
        } catch (CancellationException e) {
            return Interruption.EXIT_CODE;
        }
        tuned.save(output);
        if (plot != null) {
            TuningPlot.write(plot, tuned);
        }
        console.print(summary(tuned));
        return Main.OK;
    }

    private void check() {
        model.check();
        if (nodes != 0) {
            UsageException.requireRange("--nodes", nodes, 2, Tree.MAX_NODES);
        }
        UsageException.requireRange("--max-nodes", maxNodes, 2, Tree.MAX_NODES);
        UsageException.requireRange("--tokens", tokens, 1, TuningOptions.MAX_TOKENS);
        UsageException.requireRange("--max-tokens", maxTokens, 1, TuningOptions.MAX_TOKENS);
        if (plot != null) {
            PlotFile.require(plot);
        }
        OutputFile.require(output);
        OutputFile.require(plot);
    }

    private String summary(TunedTree tuned) {
        StringBuilder lines = new StringBuilder();
        MeasuredTree chosen = tuned.chosen();
        line(
                lines,
                "%s: %d nodes, %d deep: %.3f tokens a step, %.3f on the half of the text that it was tuned on",
                output,
                chosen.nodes(),
                chosen.depth(),
                chosen.acceptanceLength(),
                chosen.tuningAcceptanceLength());
        if (chosen.nodes() == 1) {
            line(lines, "plain decoding is fastest here; --nodes N gives a tree nevertheless");
        }
        line(
                lines,
                "written by the model: %,d tokens to tune on, %,d to measure on",
                tuned.tuningTokens(),
                tuned.heldOutTokens());
        line(
                lines,
                "%5s %6s %13s %10s %9s %10s",
                "nodes",
                "depth",
                "tokens a step",
                "(tuned on)",
                "step us",
                "tokens/s");
        for (MeasuredTree tree : tuned.measured()) {
            if (SHOWN.contains(tree.nodes()) || tree.equals(chosen)) {
                line(
                        lines,
                        "%5d %6d %13.3f %10.3f %9.1f %10.0f%s",
                        tree.nodes(),
                        tree.depth(),
                        tree.acceptanceLength(),
                        tree.tuningAcceptanceLength(),
                        tree.stepNanos() / 1e3,
                        tree.tokensPerSecond(),
                        tree.equals(chosen) ? "  chosen" : "");
            }
        }
        return lines.toString();
    }

    private static void line(StringBuilder lines, String format, Object... values) {
        lines.append(String.format(Locale.ROOT, format, values)).append('\n');
    }
}
