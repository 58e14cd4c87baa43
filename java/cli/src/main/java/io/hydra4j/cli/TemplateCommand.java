package io.hydra4j.cli;

import io.hydra4j.ChatOptions;
import io.hydra4j.Message;
import io.hydra4j.format.GgufFile;
import io.hydra4j.text.ChatTemplates;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Shows what a chat template makes of messages. */
@Command(
        name = "template",
        description = "Prints the prompt that a chat template makes of messages, as it is. No weights are read.",
        footerHeading = "%nExamples:%n",
        footer = {
            "  hydra4j template --model model.gguf --messages messages.json",
            "  echo '[{\"role\": \"user\", \"content\": \"Hello\"}]' | hydra4j template --model folder/ --messages -",
            "  hydra4j template --chat-template chat.jinja --set bos_token=\"<s>\" --messages messages.json"
        })
final class TemplateCommand implements Callable<Integer> {
    private final Console console;

    @Option(
            names = "--model",
            paramLabel = "PATH",
            description = "A GGUF file or a Hugging Face folder, whose template and special tokens are used.")
    private Path model;

    @Option(
            names = "--messages",
            paramLabel = "FILE",
            required = true,
            description = "A JSON list of messages, objects with role and content (- for standard input).")
    private Path messages;

    @Mixin
    private ChatArguments chat;

    @Option(names = "--no-generation-prompt", description = "Leave out the beginning of an answer.")
    private boolean noGenerationPrompt;

    TemplateCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        if (model == null && !chat.hasTemplate()) {
            throw new UsageException("no template: give --model or --chat-template");
        }
        ChatTemplates templates = model == null
                ? null
                : ChatTemplates.of(model, () -> GgufFile.read(model).metadata());
        Map<String, String> tokens = templates == null ? Map.of() : templates.specialTokens();
        ChatOptions options = chat.options(console, tokens).withGenerationPrompt(!noGenerationPrompt);
        List<Message> read = MessagesFile.read(messages, console);
        if (options.template().isEmpty()) {
            options = options.withTemplate(
                    templates.get(templates.nameFor(!options.tools().isEmpty())));
        }
        String prompt = options.prompt(read).text();
        console.print(console.outTerminal() ? Printable.text(prompt) + "\n" : prompt);
        return Main.OK;
    }
}
