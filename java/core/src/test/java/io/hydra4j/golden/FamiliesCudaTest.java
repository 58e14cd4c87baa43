package io.hydra4j.golden;

import io.hydra4j.runtime.WeightType;
import java.util.List;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What transformers computes in float32 with tiny models of the families, on CUDA; short prompts on the emulation. */
@ExtendWith(Cuda.class)
class FamiliesCudaTest {
    @ParameterizedTest
    @ValueSource(strings = {"llama", "llama3", "mistral", "smollm2", "vicuna", "odd", "qwen2", "qwen3"})
    void computesTheGoldenLogitsAndTokens(String family) {
        check(family, WeightType.F32, FamilyPrompts.FLOATS);
    }

    @ParameterizedTest
    @ValueSource(strings = {"llama", "llama3", "mistral", "smollm2", "vicuna", "odd", "qwen2", "qwen3"})
    void computesTheSameWithTheFamilysOwnTypeOfWeights(String family) {
        check(family, null, FamilyPrompts.HALVES);
    }

    private static void check(String family, WeightType type, double tolerance) {
        String folder = "golden/families/" + family;
        List<Json> prompts = Cuda.cases(
                Json.read(TestData.shared(folder + "/golden.json"))
                        .get("prompts")
                        .list(),
                0,
                3);
        try (Loaded loaded = Cuda.open(TestData.shared(folder), null, type)) {
            FamilyPrompts.check(loaded, prompts, prompts, Cuda.emulated() ? 4 : Integer.MAX_VALUE, tolerance);
        }
    }
}
