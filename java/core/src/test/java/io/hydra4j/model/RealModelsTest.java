package io.hydra4j.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.hydra4j.format.TensorType;
import io.hydra4j.runtime.Activation;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Models as converters and trainers really write them, from the folder that a property names. */
class RealModelsTest {
    private static final String PROPERTY = "hydra4j.shared";

    private static final Map<String, DecoderConfig> FAMILIES = Map.of(
            "llama",
            new DecoderConfig(2, 64, 4, 4, 16, 172, 640, 256, 10000, 1e-5f, Activation.SILU, false, 1, List.of(2)),
            "smollm2",
            new DecoderConfig(3, 72, 9, 3, 8, 192, 680, 256, 100000, 1e-5f, Activation.SILU, true, 1, List.of(2)),
            "vicuna",
            new DecoderConfig(2, 64, 8, 4, 8, 192, 624, 256, 10000, 1e-5f, Activation.SILU, false, 1, List.of(2)),
            "odd",
            new DecoderConfig(2, 120, 5, 1, 24, 200, 517, 160, 20000, 1e-5f, Activation.SILU, false, 0, List.of(0)));

    private static final DecoderConfig JAVALM =
            new DecoderConfig(10, 384, 6, 2, 64, 1024, 8192, 2048, 10000, 1e-5f, Activation.SILU, true, 0, List.of(0));

    private static Path shared(String name) {
        var folder = System.getProperty(PROPERTY);
        assumeTrue(folder != null, "no real models: set -D" + PROPERTY + "=FOLDER");
        var path = Path.of(folder, name);
        assumeTrue(Files.exists(path), "no " + path);
        return path;
    }

    @ParameterizedTest
    @ValueSource(strings = {"llama", "smollm2", "vicuna", "odd"})
    void aFamilysFolderOpens(String family) {
        var folder = shared("golden/families/" + family);
        var model = ModelFiles.open(folder);
        assertEquals(FAMILIES.get(family), model.config());
        assertEquals(folder.resolve("tokenizer.json"), model.tokenizerJson().orElseThrow());
        assertEquals(family.equals("odd"), model.tensors().layers().get(0).oBias() != null);
        assertTrue(model.tensors().all().stream().allMatch(tensor -> tensor.type() == TensorType.BF16));
    }

    @ParameterizedTest
    @ValueSource(strings = {"llama/model-f32", "smollm2/model-f32", "vicuna/model-q8_0", "odd/model-f32"})
    void aFamilysGgufFileOpens(String name) {
        var family = name.substring(0, name.indexOf('/'));
        var model = ModelFiles.open(shared("golden/families/" + name + ".gguf"));
        assertEquals(FAMILIES.get(family), model.config());
        assertEquals(family.equals("odd"), model.tensors().layers().get(0).oBias() != null);
        assertEquals(
                name.endsWith("q8_0") ? TensorType.Q8_0 : TensorType.F32,
                model.tensors().layers().get(1).down().type());
    }

    @Test
    void theWindowOfMistralIsThatOfItsFiles() {
        var folder = shared("golden/families/mistral");
        for (Path file : List.of(folder, folder.resolve("model-f32.gguf"))) {
            var attention = ModelFiles.open(file).config().attention();
            assertTrue(attention.stream().allMatch(layer -> layer.window() == 24), attention::toString);
        }
    }

    @Test
    void theEmbeddedModelOpens() {
        var gguf = ModelFiles.open(shared("models/javalm-19m/javalm-19m-q8_0.gguf"));
        assertEquals(JAVALM, gguf.config());
        assertEquals(92, gguf.tensors().all().size());
        assertEquals(JAVALM, ModelFiles.open(shared("models/javalm-19m")).config());
    }

    @Test
    void aChatModelOpens() {
        var model = ModelFiles.open(shared("models/smollm2-135m-instruct/SmolLM2-135M-Instruct.Q4_1.gguf"));
        assertEquals(
                new DecoderConfig(
                        30, 576, 9, 3, 64, 1536, 49152, 8192, 100000, 1e-5f, Activation.SILU, true, 1, List.of(2)),
                model.config());
        assertEquals(TensorType.Q8_0, model.tensors().lmHead().type());
        assertEquals(TensorType.Q4_1, model.tensors().layers().get(29).up().type());
    }
}
