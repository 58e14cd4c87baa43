package io.hydra4j.text;

import static org.junit.jupiter.api.Assertions.assertAll;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.ChatTemplateException;
import io.hydra4j.format.Fields;
import io.hydra4j.format.GgufFile;
import io.hydra4j.format.StrictJson;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.function.Executable;

/** Published templates make of conversations what transformers make of them, and hostile ones make nothing. */
class GoldenChatTemplateTest {
    private static final Clock NOW =
            Clock.fixed(LocalDateTime.of(2026, 3, 5, 9, 7, 2).toInstant(ZoneOffset.UTC), ZoneOffset.UTC);
    private static final StrictJson.Limits GOLDEN = new StrictJson.Limits(64 << 20, 6_000_000, 1 << 16, 1 << 20);
    private static final String TEMPLATES = "golden/templates/";

    private static String text(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    private static Stream<Fields> objects(Fields from, String name) {
        return StreamSupport.stream(from.objects(name).spliterator(), false);
    }

    @SuppressWarnings("unchecked") // messages are objects
    private static List<Map<String, Object>> messages(Fields json) {
        return (List<Map<String, Object>>) json.value("messages");
    }

    private static Map<String, Object> variables(Fields json) {
        Map<String, Object> variables = new HashMap<>();
        if (json.has("tools")) {
            variables.put("tools", json.value("tools"));
        }
        if (json.has("template_variables")) {
            Fields own = json.object("template_variables");
            own.names().forEach(name -> variables.put(name, own.value(name)));
        }
        return variables;
    }

    private static PromptText rendered(ChatTemplate template, Fields json) {
        return template.withClock(NOW)
                .render(messages(json), json.flag("add_generation_prompt", false), variables(json));
    }

    @TestFactory
    Stream<DynamicTest> publishedTemplatesMakeThePromptsThatTransformersMake() {
        Fields manifest = StrictJson.read(Shared.file(TEMPLATES + "manifest.json"));
        Map<String, String> tokens =
                Map.of("bos_token", manifest.string("bos_token"), "eos_token", manifest.string("eos_token"));
        return objects(manifest, "templates")
                .map(entry -> DynamicTest.dynamicTest(entry.string("name"), () -> {
                    ChatTemplate template =
                            ChatTemplate.of(text(Shared.file(TEMPLATES + entry.string("template"))), tokens);
                    List<Executable> cases = new ArrayList<>();
                    objects(StrictJson.read(Shared.file(TEMPLATES + entry.string("cases"))), "cases")
                            .forEach(json -> cases.add(() -> assertCase(template, json)));
                    assertAll(cases);
                }));
    }

    private static void assertCase(ChatTemplate template, Fields json) {
        if (json.has("error") && json.flag("raised_by_template", false)) {
            ChatTemplateException.Refused refused =
                    assertThrows(ChatTemplateException.Refused.class, () -> rendered(template, json));
            assertEquals(json.string("error"), refused.reason(), json.string("name"));
        } else if (json.has("error")) {
            assertThrows(ChatTemplateException.class, () -> rendered(template, json), json.string("name"));
        } else {
            String text = rendered(template, json).text();
            if (!text.equals(json.string("plain_jinja", ""))) {
                assertEquals(json.string("text"), text, json.string("name"));
            }
        }
    }

    @TestFactory
    Stream<DynamicTest> theTemplatesOfModelFoldersMakeTheirPromptsAndIds() {
        return Stream.of("llama", "llama3", "mistral", "odd", "qwen2", "qwen3", "smollm2", "vicuna")
                .map(family -> DynamicTest.dynamicTest(family, () -> {
                    Path folder = Shared.file("golden/families/" + family);
                    ChatTemplates templates = ChatTemplates.ofFolder(folder);
                    ChatTemplate template = templates.get(templates.nameFor(false));
                    Fields golden = StrictJson.read(folder.resolve("golden.json"), GOLDEN);
                    try (Tokenizer tokenizer = Tokenizer.fromJson(folder.resolve("tokenizer.json"))) {
                        assertAll(objects(golden, "chat").map(json -> () -> assertChat(template, tokenizer, json)));
                    }
                }));
    }

    private static void assertChat(ChatTemplate template, Tokenizer tokenizer, Fields json) {
        if (json.has("error")) {
            ChatTemplateException.Refused refused =
                    assertThrows(ChatTemplateException.Refused.class, () -> rendered(template, json));
            assertEquals(json.string("error"), refused.reason());
            return;
        }
        PromptText prompt = rendered(template, json);
        assertEquals(json.string("text"), prompt.text());
        // The golden ids recognise special tokens wherever they are.
        assertArrayEquals(Shared.ids(json.list("ids")), tokenizer.encode(prompt.text(), false));
    }

    @TestFactory
    Stream<DynamicTest> aGgufFileHasTheTemplateAndSpecialTokensOfItsFolder() {
        return Stream.of("llama", "llama3", "mistral", "odd", "qwen2", "qwen3", "smollm2", "vicuna")
                .map(family -> DynamicTest.dynamicTest(family, () -> {
                    Path folder = Shared.file("golden/families/" + family);
                    Path file = folder.resolve(family.equals("vicuna") ? "model-q8_0.gguf" : "model-f32.gguf");
                    ChatTemplates ofFolder = ChatTemplates.ofFolder(folder);
                    ChatTemplates ofFile =
                            ChatTemplates.ofGguf(file, GgufFile.read(file).metadata());
                    assertEquals(
                            ofFolder.get(ChatTemplates.DEFAULT).source(),
                            ofFile.get(ChatTemplates.DEFAULT).source());
                    ofFile.specialTokens()
                            .forEach((name, token) ->
                                    assertEquals(ofFolder.specialTokens().getOrDefault(name, token), token, name));
                    assertTrue(ofFile.specialTokens().containsKey("eos_token"));
                }));
    }

    @TestFactory
    Stream<DynamicTest> hostileTemplatesMakeNothing() {
        Fields manifest = StrictJson.read(Shared.file(TEMPLATES + "manifest.json"));
        return objects(manifest, "hostile")
                .map(entry -> DynamicTest.dynamicTest(entry.string("name"), () -> {
                    String source = text(Shared.file(TEMPLATES + entry.string("template")));
                    String outcome;
                    try {
                        outcome = ChatTemplate.of(source, Map.of("bos_token", "<s>"))
                                .render(List.of(Map.of("role", "user", "content", "x")), true, Map.of())
                                .text();
                        assertTrue(entry.string("expected").contains("text"), outcome);
                    } catch (ChatTemplateException e) {
                        outcome = e.getMessage();
                        assertTrue(entry.string("expected").contains("error"), outcome);
                    }
                    for (Object forbidden : entry.list("must_not_contain")) {
                        assertFalse(outcome.contains((String) forbidden), outcome);
                    }
                }));
    }
}
