package io.hydra4j.cli;

import io.hydra4j.ChatOptions;
import io.hydra4j.text.ChatTemplate;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Option;

/** The options that say how messages become a prompt. */
final class ChatArguments {
    @Option(names = "--chat-template", paramLabel = "FILE", description = "A Jinja template for the model's own.")
    private Path template;

    @Option(
            names = "--set",
            paramLabel = "NAME=VALUE",
            converter = TemplateVariable.Converter.class,
            description =
                    "A variable of the template, such as enable_thinking=false; JSON, or else a text. May be given"
                            + " several times.")
    private List<TemplateVariable> variables = List.of();

    @Option(names = "--tools", paramLabel = "FILE", description = "Tools that the model is told of: a JSON list.")
    private Path tools;

    /** The first option that was given, for messages; null for none. */
    String given() {
        return template != null ? "--chat-template" : tools != null ? "--tools" : variables.isEmpty() ? null : "--set";
    }

    /** Whether there is a template beside the model's. */
    boolean hasTemplate() {
        return template != null;
    }

    /**
     * What the options say.
     *
     * @param specialTokens the model's, by the names that templates know them by
     */
    ChatOptions options(Console console, Map<String, String> specialTokens) {
        ChatOptions options = ChatOptions.DEFAULT;
        if (template != null) {
            options = options.withTemplate(ChatTemplate.of(TextSource.read(template, console), specialTokens));
        }
        if (tools != null) {
            options = options.withTools(MessagesFile.objects(tools, "tools", console));
        }
        for (TemplateVariable variable : variables) {
            options = options.withVariable(variable.name(), variable.value());
        }
        return options;
    }
}
