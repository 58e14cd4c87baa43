package io.hydra4j.cli;

import io.hydra4j.ChatOptions;
import io.hydra4j.GenerationOptions;
import io.hydra4j.HydraModel;
import io.hydra4j.decode.Sampling;
import java.util.concurrent.Callable;
import java.util.function.IntFunction;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Talks with a model. */
@Command(
        name = "chat",
        description =
                "Talks with a model that was made for conversations. Reads a message a line, or on a terminal as they"
                        + " are typed; /help tells the rest.",
        footerHeading = "%nExamples:%n",
        footer = {
            "  hydra4j chat --model model.gguf --system \"You answer in one sentence.\"",
            "  hydra4j chat --model folder/ --temperature 0.7 --stats < questions.txt"
        })
final class ChatCommand implements Callable<Integer> {
    private final Console console;

    @Mixin
    private ModelArguments model;

    @Mixin
    private ChatArguments chat;

    @Option(names = "--system", paramLabel = "TEXT", description = "The system message.")
    private String system;

    @Mixin
    private SpeculationArguments speculation;

    @Option(
            names = "--max-tokens",
            paramLabel = "N",
            defaultValue = "1024",
            description = "The most tokens of an answer. Default: 1024.")
    private int maxTokens;

    @Mixin
    private SamplingArguments sampling;

    @Option(names = "--stats", description = "Show after each answer what it took.")
    private boolean statistics;

    @Option(
            names = "--no-color",
            description = "Show the text without shades; so does the environment variable NO_COLOR.")
    private boolean noColour;

    ChatCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        if (maxTokens < 1) {
            throw new UsageException("--max-tokens is " + maxTokens + ", must be at least 1");
        }
        model.check();
        sampling.check(false);
        speculation.check(sampling);
        if (system != null) {
            TextSource.argument(system);
        }
        speculation.read(console);
        model.requireTemplate(chat);
        try (HydraModel opened = speculation.open(model, console);
                Interruption interruption = new Interruption()) {
            opened.info().notices().forEach(console::message);
            speculation.prepare(opened);
            ChatOptions options = chat.options(console, opened.chatTemplates().specialTokens());
            if (options.template().isEmpty()) {
                // Soon, and not when the first message has been typed.
                opened.chatTemplates()
                        .get(opened.chatTemplates().nameFor(!options.tools().isEmpty()));
            }
            boolean isGood;
            try (ChatLines lines = console.inTerminal() && console.outTerminal()
                    ? TypedLines.ofProcess()
                    : ChatLines.ofInput(console)) {
                isGood = new ChatLoop(
                                console,
                                opened,
                                options,
                                turns(opened, interruption),
                                lines,
                                system,
                                console.colour() && !noColour,
                                statistics)
                        .run();
            }
            return interruption.getAsBoolean() ? Interruption.EXIT_CODE : isGood ? Main.OK : Main.FAILURE;
        }
    }

    private IntFunction<GenerationOptions> turns(HydraModel opened, Interruption interruption) {
        Sampling first = sampling.first(speculation.acceptance());
        GenerationOptions options = speculation
                .options(opened)
                .maxTokens(maxTokens)
                .cancelled(interruption)
                .build();
        return turn -> options.withSampling(first.withSeed(first.seed() + turn));
    }
}
