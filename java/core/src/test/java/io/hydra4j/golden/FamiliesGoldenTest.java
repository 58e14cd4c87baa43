package io.hydra4j.golden;

import io.hydra4j.runtime.InstructionSet;
import io.hydra4j.runtime.WeightType;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What transformers computes in float32 with tiny models of the families. */
class FamiliesGoldenTest {
    private static final String FAMILIES = "golden/families/";

    @ParameterizedTest
    @ValueSource(strings = {"llama", "llama3", "mistral", "smollm2", "vicuna", "odd", "qwen2", "qwen3"})
    void aFolderComputesTheGoldenLogitsAndTokens(String family) {
        check(family, "", WeightType.F32);
    }

    @ParameterizedTest
    @ValueSource(strings = {"llama", "llama3", "mistral", "smollm2", "vicuna", "odd", "qwen2", "qwen3"})
    void aFolderComputesTheSameWithItsOwnTypeOfWeights(String family) {
        check(family, "", null);
    }

    @ParameterizedTest
    @CsvSource({"llama, ", "llama3, ", "mistral, ", "smollm2, ", "odd, ", "odd, F32", "qwen2, ", "qwen3, "})
    void aGgufFileComputesTheGoldenLogitsAndTokens(String family, WeightType type) {
        check(family, "/model-f32.gguf", type);
    }

    @ParameterizedTest
    @EnumSource(
            value = InstructionSet.class,
            names = {"AVX512", "AVX2", "PORTABLE"})
    void aQ8FileDequantisedOnLoadComputesTheGoldenLogitsAndTokens(InstructionSet isa) {
        Isa.assumeThatItRuns(isa);
        Json golden = Json.read(TestData.shared(FAMILIES + "vicuna/golden.json"));
        try (Loaded loaded =
                Loaded.open(TestData.shared(FAMILIES + "vicuna/model-q8_0.gguf"), null, WeightType.F32, 1, isa)) {
            FamilyPrompts.check(
                    loaded,
                    golden.get("prompts").list(),
                    golden.get("q8_0").get("prompts").list(),
                    Integer.MAX_VALUE,
                    FamilyPrompts.FLOATS);
        }
    }

    private static void check(String family, String file, WeightType type) {
        List<Json> prompts = Json.read(TestData.shared(FAMILIES + family + "/golden.json"))
                .get("prompts")
                .list();
        try (Loaded loaded =
                Loaded.open(TestData.shared(FAMILIES + family + file), null, type, 1, InstructionSet.AUTO)) {
            FamilyPrompts.check(loaded, prompts, prompts, Integer.MAX_VALUE, FamilyPrompts.FLOATS);
        }
    }
}
