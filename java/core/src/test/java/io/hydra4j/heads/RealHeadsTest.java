package io.hydra4j.heads;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.hydra4j.FormatException.HeadsMismatch;
import io.hydra4j.heads.HeadsConfig.Kind;
import io.hydra4j.model.ModelFiles;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Heads as the original code and trainers really write them, from the folder that a property names. */
class RealHeadsTest {
    private static final String PROPERTY = "hydra4j.shared";
    private static final String ORIGINAL = "golden/hydra-original/";

    private static Path shared(String name) {
        var folder = System.getProperty(PROPERTY);
        assumeTrue(folder != null, "no real heads: set -D" + PROPERTY + "=FOLDER");
        var path = Path.of(folder, name);
        assumeTrue(Files.exists(path), "no " + path);
        return path;
    }

    @ParameterizedTest
    @CsvSource({
        "hydra, HYDRA, 4, 1, 24",
        "hydra-plus-plus, HYDRA_PLUS_PLUS, 4, 4, 58",
        "hydra-ungrounded, MEDUSA, 4, 1, 16",
        "medusa, MEDUSA, 5, 1, 15"
    })
    void headsOfTheOriginalCodeOpen(String name, Kind kind, int heads, int layers, int tensors) {
        var base = ModelFiles.open(shared(ORIGINAL + "base")).config();
        var opened = HeadsFiles.open(shared(ORIGINAL + name), base);
        assertEquals(new HeadsConfig(kind, heads, layers, false, "tiny-java-bytes-a"), opened.config());
        assertEquals(tensors, opened.all().size());
        assertEquals(List.of(260L, 64L), opened.heads().get(heads - 1).lmHead().shape());
        assertEquals(name.equals("medusa"), opened.heads().get(0).lmHeadBias() == null);
        long width = kind.isGrounded() ? (heads + 1) * 64L : 64L;
        var block = opened.heads().get(heads - 1).blocks().get(0);
        assertEquals(List.of(64L, width), block.linear().shape());
        assertEquals(kind.isGrounded(), block.skip() != null);
    }

    @ParameterizedTest
    @CsvSource({
        "javalm-19m, javalm-19m-q8_0.gguf, heads-medusa, MEDUSA, 1",
        "javalm-19m, javalm-19m-q8_0.gguf, heads-hydra, HYDRA, 1",
        "javalm-19m, javalm-19m-q8_0.gguf, heads-hydra-plus-plus, HYDRA_PLUS_PLUS, 4",
        "smollm2-135m-instruct, SmolLM2-135M-Instruct.Q4_1.gguf, heads-medusa, MEDUSA, 1",
        "smollm2-135m-instruct, SmolLM2-135M-Instruct.Q4_1.gguf, heads-hydra-plus-plus, HYDRA_PLUS_PLUS, 4"
    })
    void headsWithTheLmHeadOfTheBaseOpen(String folder, String model, String heads, Kind kind, int layers) {
        var base = ModelFiles.open(shared("models/" + folder + "/" + model)).config();
        var opened = HeadsFiles.open(shared("models/" + folder + "/" + heads), base);
        assertEquals(kind, opened.config().kind());
        assertEquals(4, opened.config().heads());
        assertEquals(layers, opened.config().layers());
        assertTrue(opened.config().baseLmHead());
        assertEquals(kind == Kind.HYDRA_PLUS_PLUS, opened.prefix() != null);
    }

    @Test
    void headsOfAnotherModelAreRefused() {
        var base = ModelFiles.open(shared("models/javalm-19m/javalm-19m-q8_0.gguf"))
                .config();
        var heads = shared(ORIGINAL + "hydra");
        var fault = assertThrows(HeadsMismatch.class, () -> HeadsFiles.open(heads, base));
        assertEquals(
                heads + ": hidden size: found 64, expected 384 as in the base model; these heads were made for another "
                        + "base: give the base they were made for, or heads for this one",
                fault.getMessage());
    }
}
