package io.hydra4j.text;

import static org.junit.jupiter.api.Assertions.assertAll;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import io.hydra4j.format.Fields;
import io.hydra4j.format.StrictJson;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Ids and texts computed by Hugging Face's tokenizers and by llama.cpp. */
class GoldenTokenizerTest {
    private static final String FAMILIES = "golden/families/";

    @ParameterizedTest
    @ValueSource(strings = {"llama", "llama3", "mistral", "odd", "qwen2", "qwen3", "smollm2", "vicuna"})
    void aTokenizerJsonGivesTheGoldenIdsAndTexts(String family) {
        Path folder = Shared.file(FAMILIES + family);
        try (Tokenizer tokenizer = Tokenizer.fromJson(folder.resolve("tokenizer.json"))) {
            checkFamily(folder, tokenizer);
        }
    }

    @ParameterizedTest
    @CsvSource({
        "llama, f32",
        "llama3, f32",
        "llama3, q8_0",
        "odd, f32",
        "qwen3, f32",
        "qwen3, q8_0",
        "smollm2, f32",
        "vicuna, q8_0"
    })
    void theTablesOfAGgufFileGiveTheGoldenIdsAndTexts(String family, String type) {
        Path folder = Shared.file(FAMILIES + family);
        try (Tokenizer tokenizer = Shared.gguf(folder.resolve("model-" + type + ".gguf"))) {
            checkFamily(folder, tokenizer);
        }
    }

    /** The file calls its fill-in-the-middle tokens control tokens, though they are not special in tokenizer.json. */
    @Test
    void theTablesOfTheQwen2FileGiveTheGoldenIdsAndTextsButSkipMoreTokens() {
        Path folder = Shared.file(FAMILIES + "qwen2");
        Fields golden = StrictJson.read(folder.resolve("golden.json")).object("tokenizer");
        try (Tokenizer tokenizer = Shared.gguf(folder.resolve("model-f32.gguf"))) {
            assertAll(golden.objects("cases").stream().map(it -> () -> {
                checkEncoding(tokenizer, it);
                checkDecoding(tokenizer, it, !it.string("text").contains("<|fim_"));
            }));
            assertAll(golden.objects("decode").stream().map(it -> () -> checkDecoding(tokenizer, it, false)));
        }
    }

    /** No key of a GGUF file says that the space is put only before the very start of a text, as mistral has it. */
    @Test
    void theTablesOfTheMistralFileGiveTheIdsOfLlamaCpp() {
        Path folder = Shared.file(FAMILIES + "mistral");
        Fields golden = StrictJson.read(folder.resolve("golden.json"));
        Map<String, int[]> different = new HashMap<>();
        for (Fields it : golden.object("llama_cpp").objects("tokenizer_ids_that_differ")) {
            different.put(it.string("text"), Shared.ids(it.list("llama_cpp_ids")));
        }
        assertFalse(different.isEmpty());
        try (Tokenizer tokenizer = Shared.gguf(folder.resolve("model-f32.gguf"))) {
            assertAll(golden.object("tokenizer").objects("cases").stream().map(it -> () -> {
                String text = it.string("text");
                int[] ids = Shared.ids(it.list("ids"));
                assertArrayEquals(different.getOrDefault(text, ids), tokenizer.encode(text), text);
                checkDecoding(tokenizer, it, true);
            }));
            assertAll(golden.object("tokenizer").objects("decode").stream()
                    .map(it -> () -> checkDecoding(tokenizer, it, true)));
        }
    }

    @Test
    void theGgufFileOfSmolLm2GivesTheGoldenIds() {
        Fields golden = StrictJson.read(Shared.file("golden/smollm2-135m-instruct.json"));
        try (Tokenizer tokenizer =
                Shared.gguf(Shared.file("models/smollm2-135m-instruct/SmolLM2-135M-Instruct.Q4_1.gguf"))) {
            List<Fields> cases = golden.objects("tokenizer");
            assertFalse(cases.isEmpty());
            assertAll(cases.stream().map(it -> ids(tokenizer, it.string("text"), Shared.ids(it.list("ids")))));
            List<Fields> prompts = golden.objects("prompts");
            assertAll(
                    prompts.stream().map(it -> ids(tokenizer, it.string("prompt"), Shared.ids(it.list("prompt_ids")))));
        }
    }

    private static Executable ids(Tokenizer tokenizer, String text, int[] ids) {
        return () -> assertArrayEquals(ids, tokenizer.encode(text), text);
    }

    @Test
    void theTablesOfTheJavaModelGiveTheIdsOfItsTokenizerJsonOnHeldOutCode() throws IOException {
        Path folder = Shared.file("models/javalm-19m");
        try (Tokenizer json = Tokenizer.fromJson(folder.resolve("tokenizer.json"));
                Tokenizer gguf = Shared.gguf(folder.resolve("javalm-19m-q8_0.gguf"))) {
            List<String> texts = Shared.heldOutCode();
            assertFalse(texts.isEmpty());
            for (String text : texts) {
                int[] ids = json.encode(text, false);
                assertArrayEquals(ids, gguf.encode(text, false));
                assertEquals(text, json.decode(ids, false));
                assertEquals(text, gguf.decode(ids, true));
            }
        }
    }

    private static void checkFamily(Path folder, Tokenizer tokenizer) {
        Fields golden = StrictJson.read(folder.resolve("golden.json")).object("tokenizer");
        List<Fields> cases = golden.objects("cases");
        List<Fields> decodes = golden.objects("decode");
        assertFalse(cases.isEmpty() || decodes.isEmpty());
        assertAll(cases.stream().map(it -> () -> {
            checkEncoding(tokenizer, it);
            checkDecoding(tokenizer, it, true);
        }));
        assertAll(decodes.stream().map(it -> () -> checkDecoding(tokenizer, it, true)));
    }

    private static void checkEncoding(Tokenizer tokenizer, Fields it) {
        String text = it.string("text");
        assertArrayEquals(Shared.ids(it.list("ids")), tokenizer.encode(text), text);
        assertArrayEquals(Shared.ids(it.list("ids_without_added_special")), tokenizer.encode(text, false), text);
    }

    private static void checkDecoding(Tokenizer tokenizer, Fields it, boolean skipping) {
        int[] ids = Shared.ids(it.list("ids"));
        assertEquals(it.string("decoded"), Shared.decode(tokenizer, ids, false));
        if (skipping) {
            assertEquals(it.string("decoded_skip_special"), Shared.decode(tokenizer, ids, true));
        }
    }
}
