package io.hydra4j.cli;

import io.hydra4j.GenerationOptions;
import io.hydra4j.GenerationResult;
import io.hydra4j.HydraException;
import io.hydra4j.HydraModel;
import io.hydra4j.decode.Sampling;
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

    @Mixin
    private SpeculationArguments speculation;

    @Option(
            names = "--max-tokens",
            paramLabel = "N",
            defaultValue = "256",
            description = "The most tokens. Default: 256.")
    private int maxTokens;

    @Mixin
    private SamplingArguments sampling;

    @Option(names = "--stop", paramLabel = "STRING", description = "End before this text; may be given several times.")
    private List<String> stop = List.of();

    @Option(names = "--ignore-eos", description = "Continue past end-of-sequence tokens.")
    private boolean ignoreEnd;

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
        speculation.read(console);
        prompts.requireTemplate(model);
        try (HydraModel opened = speculation.open(model, console)) {
            opened.info().notices().forEach(console::message);
            if (!stop.isEmpty() && opened.tokenizer().isEmpty()) {
                throw new HydraException(opened.info().path() + " has no tokenizer: leave out --stop");
            }
            List<int[]> ids = prompts.encode(opened, console);
            speculation.prepare(opened);
            return generateAll(opened, ids);
        }
    }

    private void check() {
        if (maxTokens < 1) {
            throw new UsageException("--max-tokens is " + maxTokens + ", must be at least 1");
        }
        model.check();
        sampling.check(json);
        if (stop.contains("")) {
            throw new UsageException("--stop is empty: leave it out");
        }
        stop.forEach(TextSource::argument);
        speculation.check(sampling);
    }

    private int generateAll(HydraModel opened, List<int[]> ids) {
        try (Interruption interruption = new Interruption()) {
            GenerationOptions options = speculation
                    .options(opened)
                    .maxTokens(maxTokens)
                    .stop(stop)
                    .ignoreEnd(ignoreEnd)
                    .cancelled(interruption)
                    .build();
            Sampling first = sampling.first(speculation.acceptance());
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
                console.message(Summary.of(result, options.acceptance()));
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
