package io.hydra4j.golden;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.decode.Session;
import io.hydra4j.decode.Tree;
import io.hydra4j.runtime.InstructionSet;
import io.hydra4j.runtime.WeightType;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What transformers computes in float32 with tiny models of the families; {@code odd}'s folder is committed. */
class FamiliesGoldenTest {
    private static final String FAMILIES = "golden/families/";
    private static final double TOLERANCE = 1e-3;
    private static final double NEAR_TIE = 1e-3;

    @ParameterizedTest
    @ValueSource(strings = {"llama", "smollm2", "vicuna", "odd"})
    void aFolderComputesTheGoldenLogitsAndTokens(String family) {
        check(family, "", WeightType.F32, InstructionSet.AUTO);
    }

    @ParameterizedTest
    @ValueSource(strings = {"llama", "smollm2", "vicuna", "odd"})
    void aFolderComputesTheSameWithItsOwnTypeOfWeights(String family) {
        check(family, "", null, InstructionSet.AUTO);
    }

    @ParameterizedTest
    @CsvSource({"llama, ", "smollm2, ", "odd, ", "odd, F32"})
    void aGgufFileComputesTheGoldenLogitsAndTokens(String family, WeightType type) {
        check(family, "/model-f32.gguf", type, InstructionSet.AUTO);
    }

    @ParameterizedTest
    @EnumSource(
            value = InstructionSet.class,
            names = {"AVX512", "AVX2", "PORTABLE"})
    void everyInstructionSetComputesTheGoldenLogitsAndTokens(InstructionSet isa) {
        Isa.assumeThatItRuns(isa);
        check("odd", "", null, isa);
    }

    @ParameterizedTest
    @EnumSource(
            value = InstructionSet.class,
            names = {"AVX512", "AVX2", "PORTABLE"})
    void aQ8FileDequantisedOnLoadComputesTheGoldenLogitsAndTokens(InstructionSet isa) {
        Isa.assumeThatItRuns(isa);
        Json golden = Json.read(TestData.any(FAMILIES + "vicuna/golden.json"));
        try (Loaded loaded =
                Loaded.open(TestData.shared(FAMILIES + "vicuna/model-q8_0.gguf"), null, WeightType.F32, 1, isa)) {
            check(
                    loaded,
                    golden.get("prompts").list(),
                    golden.get("q8_0").get("prompts").list());
        }
    }

    private static void check(String family, String file, WeightType type, InstructionSet isa) {
        List<Json> prompts = Json.read(TestData.any(FAMILIES + family + "/golden.json"))
                .get("prompts")
                .list();
        try (Loaded loaded = Loaded.open(TestData.any(FAMILIES + family + file), null, type, 1, isa)) {
            check(loaded, prompts, prompts);
        }
    }

    /**
     * @param prompts have {@code prompt_ids}
     * @param expected what is computed for them, in the same order
     */
    private static void check(Loaded loaded, List<Json> prompts, List<Json> expected) {
        assertFalse(prompts.isEmpty());
        try (Session session = loaded.session(Tree.ROOT)) {
            for (int i = 0; i < prompts.size(); i++) {
                int[] ids = prompts.get(i).get("prompt_ids").ints();
                session.rewind(0);
                float[][] rows = Logits.prefill(session, ids);
                checkLogits(rows, expected.get(i));
                if (ids.length > 1) {
                    assertEquals(
                            expected.get(i).get("prompt_mean_logprob").number(),
                            Logits.meanLogProbability(rows, ids),
                            TOLERANCE);
                }
                checkGreedy(session, expected.get(i));
            }
        }
    }

    private static void checkLogits(float[][] rows, Json expected) {
        for (Json at : expected.get("logits").list()) {
            float[] row = rows[at.get("position").integer()];
            String what = "position " + at.get("position").integer();
            Logits.assertClose(
                    at.get("top20_ids").ints(), at.get("top20_logits").numbers(), row, TOLERANCE, what);
            Logits.assertClose(
                    at.get("fixed_ids").ints(), at.get("fixed_logits").numbers(), row, TOLERANCE, what);
        }
    }

    private static void checkGreedy(Session session, Json expected) {
        int[] ids = expected.get("greedy_ids").ints();
        double[] gaps = expected.get("top2_gap").numbers();
        for (int i = 0; i < ids.length; i++) {
            int token = session.step().tokens()[0];
            if (token != ids[i]) {
                assertTrue(gaps[i] < NEAR_TIE, "token " + i + " is " + token + ", golden " + Arrays.toString(ids));
                return;
            }
        }
    }
}
