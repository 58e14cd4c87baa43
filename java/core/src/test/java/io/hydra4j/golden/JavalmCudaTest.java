package io.hydra4j.golden;

import static org.junit.jupiter.api.Assumptions.assumeFalse;

import io.hydra4j.runtime.WeightType;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What transformers computes in float32 with the Java model and its heads, on a GPU. */
@ExtendWith(Cuda.class)
class JavalmCudaTest {
    @BeforeEach
    void needsAGpu() {
        assumeFalse(Cuda.emulated(), "a model of 19 million parameters takes hours on the emulation");
    }

    @ParameterizedTest
    @ValueSource(strings = {"medusa", "hydra", "hydra-plus-plus"})
    void everyStepEmitsTheGoldenTokensInFloat32(String heads) {
        Path model = TestData.shared("models/javalm-19m");
        try (Loaded loaded = Cuda.open(model, model.resolve("heads-" + heads), WeightType.F32)) {
            JavalmGoldenTest.checkSteps(loaded, heads, 4);
        }
    }

    @Test
    void theEmbeddedModelFollowsTheGoldenTextForAsLongAsTheChoiceIsClear() {
        try (Loaded loaded = Cuda.open(TestData.embedded("javalm-19m-q8_0.gguf"), null, null)) {
            JavalmGoldenTest.checkClearChoices(loaded);
        }
    }
}
