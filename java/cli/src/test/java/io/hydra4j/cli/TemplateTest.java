package io.hydra4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.cli.CommandLines.Outcome;
import io.hydra4j.golden.Json;
import io.hydra4j.golden.Original;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Messages on the command line, with a tiny model of bytes. */
class TemplateTest {
    private static final String TEMPLATE = "{% for m in messages %}{{ bos_token }}{{ m.role }}:{{ m.content }}"
            + "{{ eos_token }}{% endfor %}{% if add_generation_prompt %}{{ bos_token }}assistant:{% endif %}";

    @TempDir
    Path folder;

    private Path model;
    private Path messages;

    @BeforeEach
    void write() throws IOException {
        model = Original.withTokenizer(
                Original.variant(Files.createDirectory(folder.resolve("model")), List.of(257), 512));
        Files.writeString(
                model.resolve("tokenizer_config.json"), "{\"bos_token\": \"<file>\", \"eos_token\": \"</file>\"}");
        Files.writeString(model.resolve("chat_template.jinja"), TEMPLATE);
        messages = Files.writeString(
                folder.resolve("messages.json"),
                "[{\"role\": \"system\", \"content\": \"be\"}, {\"role\": \"user\", \"content\": \"hi</file>\"}]");
    }

    @Test
    void theModelsTemplateMakesThePrompt() {
        assertEquals(
                "<file>system:be</file><file>user:hi</file></file><file>assistant:",
                CommandLines.run("template", "--model", model, "--messages", messages)
                        .out());
        assertEquals(
                "<file>user:x</file>",
                CommandLines.runWith(
                                "[{\"role\": \"user\", \"content\": \"x\"}]",
                                "template",
                                "--model",
                                model,
                                "--messages",
                                "-",
                                "--no-generation-prompt")
                        .out());
    }

    @Test
    void anotherTemplateWithVariablesAndToolsNeedsNoModel() throws IOException {
        Path template = Files.writeString(
                folder.resolve("other.jinja"),
                "{{ bos_token }}{{ mode }}{{ n + 1 }}{{ off is false }}{{ tools[0].name }}{{ messages[0].role }}");
        Path tools = Files.writeString(folder.resolve("tools.json"), "[{\"name\": \"clock\"}]");
        Outcome outcome = CommandLines.run(
                "template",
                "--chat-template",
                template,
                "--messages",
                messages,
                "--tools",
                tools,
                "--set",
                "bos_token=<s>",
                "--set",
                "mode=fast",
                "--set",
                "n=4",
                "--set",
                "off=false");
        assertEquals("<s>fast5Trueclocksystem", outcome.out(), outcome.err());
    }

    @Test
    void aMessageIsAnsweredAsTheConversationOfItAlone() throws IOException {
        Path only = Files.writeString(
                folder.resolve("only.json"), "[{\"role\": \"user\", \"content\": \"class </file>\"}]");
        Json asked = generated("--chat", "class </file>");
        Json told = generated("--messages", only);
        assertEquals(asked.get("ids").integers(), told.get("ids").integers());
        // Two tokens of the template, and a message whose special token is text.
        assertEquals(
                3 + "user:class </file>assistant:".length(),
                asked.get("stats").get("prompt_tokens").integer());
        Outcome other = CommandLines.run(
                "generate",
                "--model",
                model,
                "--json",
                "--max-tokens",
                4,
                "--chat",
                "--chat-template",
                Files.writeString(folder.resolve("bare.jinja"), "{{ messages[0].content }}"),
                "class");
        assertEquals(5, other.json().get(0).get("stats").get("prompt_tokens").integer(), other.err());
    }

    private Json generated(Object... prompt) {
        Object[] line = Arrays.copyOf(
                new Object[] {"generate", "--model", model, "--json", "--max-tokens", 8}, 6 + prompt.length);
        System.arraycopy(prompt, 0, line, 6, prompt.length);
        Outcome outcome = CommandLines.run(line);
        assertEquals(Main.OK, outcome.code(), outcome.err());
        return outcome.json().get(0);
    }

    @Test
    void whatIsWrongIsToldInOneLine() throws IOException {
        Files.writeString(model.resolve("chat_template.jinja"), "{{ raise_exception('roles must alternate') }}");
        assertFailure("the chat template refuses the messages: roles must alternate", messages);
        Files.writeString(model.resolve("chat_template.jinja"), "a\n{% if %}");
        assertFailure("the chat template, line 2:", messages);
        Files.delete(model.resolve("chat_template.jinja"));
        assertFailure("no chat template", messages);
        assertFailure("expected a JSON list of objects", Files.writeString(folder.resolve("a.json"), "{}"));
        assertFailure("[0].role: found null", Files.writeString(folder.resolve("b.json"), "[{\"content\": \"x\"}]"));
        assertFailure("[0]: found 5", Files.writeString(folder.resolve("c.json"), "[5]"));
        assertFailure("messages: found none", Files.writeString(folder.resolve("d.json"), "[]"));
        assertFailure("no such file", folder.resolve("nothing.json"));
    }

    private void assertFailure(String expected, Path file) {
        Outcome outcome = CommandLines.run("template", "--model", model, "--messages", file);
        assertEquals(Main.FAILURE, outcome.code(), outcome.err());
        assertEquals(1, outcome.err().lines().count(), outcome.err());
        assertTrue(outcome.err().contains(expected), outcome.err());
    }
}
