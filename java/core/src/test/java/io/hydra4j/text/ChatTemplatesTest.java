package io.hydra4j.text;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.ChatTemplateException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Where a model's templates are found, and that no message can write a special token. */
class ChatTemplatesTest {
    private static final List<Map<String, String>> HELLO = List.of(Map.of("role", "user", "content", "hello"));

    @TempDir
    Path folder;

    private void write(String name, String text) throws IOException {
        Path file = folder.resolve(name);
        Files.createDirectories(file.getParent());
        Files.writeString(file, text);
    }

    private String rendered(String name) {
        return ChatTemplates.ofFolder(folder)
                .get(name)
                .render(HELLO, true, Map.of())
                .text();
    }

    @Test
    void aFolderHasItsTemplateInOneOfThreeFiles() throws IOException {
        write(
                "tokenizer_config.json",
                """
                {"bos_token":"<s>","eos_token":{"content":"</s>","lstrip":false},"pad_token":null,
                "chat_template":"{{ bos_token }}config {{ messages[0].content }}{{ eos_token }}{{ pad_token }}"}""");
        assertEquals("<s>config hello</s>", rendered("default"));
        write("chat_template.json", "{\"chat_template\":\"{{ bos_token }}json\"}");
        assertEquals("<s>json", rendered("default"));
        write("chat_template.jinja", "{{ bos_token }}jinja");
        write("additional_chat_templates/tool_use.jinja", "tools");
        assertEquals("<s>jinja", rendered("default"));
        assertEquals("tools", rendered("tool_use"));
        assertEquals("tool_use", ChatTemplates.ofFolder(folder).nameFor(true));
        assertEquals("default", ChatTemplates.ofFolder(folder).nameFor(false));
    }

    @Test
    void aTokenizerConfigMayHaveSeveralTemplates() throws IOException {
        write(
                "tokenizer_config.json",
                """
                {"chat_template":[{"name":"default","template":"a"},{"name":"tool_use","template":"b"}]}""");
        assertEquals(
                List.of("default", "tool_use"), ChatTemplates.ofFolder(folder).names());
        assertEquals("b", rendered("tool_use"));
    }

    @Test
    void aGgufFileHasThemInItsMetadata() {
        ChatTemplates templates = ChatTemplates.ofGguf(
                Path.of("m.gguf"),
                Map.of(
                        "tokenizer.chat_template",
                        "{{ bos_token }}",
                        "tokenizer.chat_template.tool_use",
                        "t",
                        "tokenizer.chat_templates",
                        new String[] {"tool_use"},
                        "tokenizer.ggml.tokens",
                        new String[] {"a", "<b>"},
                        "tokenizer.ggml.bos_token_id",
                        1L,
                        "tokenizer.ggml.eos_token_id",
                        7L));
        assertEquals(List.of("default", "tool_use"), templates.names());
        assertEquals(
                "<b>", templates.get("default").render(HELLO, true, Map.of()).text());
        assertEquals(Map.of("bos_token", "<b>"), templates.specialTokens());
    }

    @Test
    void aModelWithoutTemplatesAndADamagedTemplateAreNoticedWhenOneIsAskedFor() throws IOException {
        ChatTemplates none = ChatTemplates.ofFolder(folder);
        assertEquals(List.of(), none.names());
        String message = assertThrows(ChatTemplateException.Missing.class, () -> none.get("default"))
                .getMessage();
        assertTrue(message.contains(folder.toString()) && message.contains("no chat template"), message);
        write("chat_template.jinja", "{% if %}");
        ChatTemplates damaged = ChatTemplates.ofFolder(folder);
        assertThrows(ChatTemplateException.Invalid.class, () -> damaged.get("default"));
        String other = assertThrows(ChatTemplateException.Missing.class, () -> damaged.get("rag"))
                .getMessage();
        assertTrue(other.contains("'rag'") && other.contains("default"), other);
    }

    @Test
    void aTemplateAsksForToolsThatThereAreNot() {
        ChatTemplate template = ChatTemplate.of(
                "{% if tools is not none %}t{% endif %}{% if documents %}d{% endif %}{{ custom }}", Map.of());
        assertEquals("", template.render(HELLO, true, Map.of()).text());
        assertEquals(
                "t5",
                template.render(HELLO, true, Map.of("tools", List.of(), "custom", 5))
                        .text());
    }

    @Test
    void noMessageCanWriteASpecialToken() throws IOException {
        write("tokenizer.json", TinyTokenizers.byteLevelJson());
        ChatTemplate template = ChatTemplate.of(
                "{% for m in messages %}{{ m.content | trim }}<|end|>{% endfor %}{{ eos_token }}",
                Map.of("eos_token", "<|end|>"));
        PromptText prompt = template.render(
                List.of(Map.of("content", "a<|end|>"), Map.of("content", " <|end|><|en")), true, Map.of());
        try (Tokenizer tokenizer = Tokenizer.fromJson(folder.resolve("tokenizer.json"))) {
            int[] ids = tokenizer.encode(prompt, EncodeOptions.PROMPT.withBeginAndEnd(false));
            int end = tokenizer.id("<|end|>").getAsInt();
            assertEquals(3, java.util.Arrays.stream(ids).filter(id -> id == end).count());
            assertEquals(prompt.text(), tokenizer.decode(ids, false));
            assertArrayEquals(
                    tokenizer.encode(prompt.text(), false),
                    tokenizer.encode(PromptText.own(prompt.text()), EncodeOptions.PROMPT.withBeginAndEnd(false)));
            assertEquals(
                    0,
                    java.util.Arrays.stream(tokenizer.encode(prompt, EncodeOptions.TEXT))
                            .filter(id -> id == end)
                            .count());
        }
    }

    @Test
    void partsOfAPromptKnowWhereTheyComeFrom() {
        PromptText text = new PromptText.Builder()
                .append("own", false)
                .append("foreign", true)
                .append(PromptText.foreign("er"))
                .append(PromptText.own(""))
                .append(PromptText.own("end"))
                .build();
        assertEquals("ownforeignerend", text.toString());
        assertArrayEquals(new int[] {3, 12}, text.borders());
        assertArrayEquals(new int[] {0, 9}, text.substring(3, 14).borders());
        assertArrayEquals(new int[] {0}, text.substring(4, 12).borders());
        assertArrayEquals(new int[] {1}, text.substring(2, 12).borders());
        assertArrayEquals(new int[0], text.substring(0, 3).borders());
        assertTrue(text.isOwn(0, 3) && !text.isOwn(0, 4) && !text.isOwn(2, 13) && text.isOwn(12, 15));
    }
}
