package io.hydra4j.golden;

import static org.junit.jupiter.api.Assertions.assertAll;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.decode.Session;
import io.hydra4j.decode.SessionOptions;
import io.hydra4j.decode.Tree;
import io.hydra4j.decode.access.Sessions;
import io.hydra4j.format.GgufFile;
import io.hydra4j.runtime.InstructionSet;
import io.hydra4j.runtime.WeightType;
import io.hydra4j.text.Tokenizer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What transformers computes in float32 with a real chat model of 135 million parameters. All 19 prompts take minutes and have
 * the tag {@code long}; without it the two shortest are computed, with heads the shortest.
 */
class SmolLm2GoldenTest {
    private static final String MODEL = "models/smollm2-135m-instruct";
    private static final double TOLERANCE = 1e-3;
    private static final double Q4_1_TOLERANCE = 0.005;

    private static Path gguf() {
        return TestData.shared(MODEL + "/SmolLM2-135M-Instruct.Q4_1.gguf");
    }

    private static Json golden() {
        return Json.read(TestData.shared("golden/smollm2-135m-instruct.json"));
    }

    /** The prompts with the shortest prompts and answers that have figures for heads. */
    private static List<Json> shortest(int count) {
        return golden().get("prompts").list().stream()
                .filter(it -> it.has("hydra-plus-plus"))
                .sorted((a, b) -> Integer.compare(cost(a), cost(b)))
                .limit(count)
                .toList();
    }

    private static int cost(Json prompt) {
        return prompt.get("prompt_ids").ints().length
                + 10 * prompt.get("greedy_ids").ints().length;
    }

    @Test
    void theVocabularyOfTheGgufFileGivesTheGoldenTokens() {
        try (Tokenizer tokenizer =
                Tokenizer.fromGguf(gguf(), GgufFile.read(gguf()).metadata())) {
            for (Json expected : golden().get("tokenizer").list()) {
                String text = expected.get("text").text();
                assertArrayEquals(expected.get("ids").ints(), tokenizer.encode(text), text);
            }
            for (Json expected : golden().get("prompts").list()) {
                String text = expected.get("prompt").text();
                assertArrayEquals(expected.get("prompt_ids").ints(), tokenizer.encode(text), text);
            }
        }
    }

    @Test
    void logitsAndTokensOfShortPromptsAgreeInFloat32() {
        checkPlain(shortest(2));
    }

    @Test
    @Tag("long")
    void logitsAndTokensOfAllPromptsAgreeInFloat32() {
        checkPlain(golden().get("prompts").list());
    }

    private static void checkPlain(List<Json> prompts) {
        try (Loaded loaded = Loaded.open(gguf(), null, WeightType.F32, 2, InstructionSet.AUTO);
                Session session = loaded.session(Tree.ROOT)) {
            for (Json expected : prompts) {
                int[] ids = expected.get("prompt_ids").ints();
                session.rewind(0);
                float[][] rows = Logits.prefill(session, ids);
                Json last = expected.get("last_prompt_logits");
                Logits.assertClose(
                        last.get("ids").ints(), last.get("values").numbers(), rows[ids.length - 1], TOLERANCE, "last");
                assertEquals(
                        expected.get("prompt_mean_logprob").number(), Logits.meanLogProbability(rows, ids), TOLERANCE);
                Continuation.assertFollows(session, expected, null);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"hydra-plus-plus", "medusa"})
    void everyStepOnTheShortestPromptEmitsTheGoldenTokensInFloat32(String heads) {
        checkSteps(heads, shortest(1));
    }

    @ParameterizedTest
    @ValueSource(strings = {"hydra-plus-plus", "medusa"})
    @Tag("long")
    void everyStepOnAllPromptsEmitsTheGoldenTokensInFloat32(String heads) {
        checkSteps(
                heads,
                golden().get("prompts").list().stream()
                        .filter(it -> it.has(heads))
                        .toList());
    }

    private static void checkSteps(String heads, List<Json> prompts) {
        Path folder = TestData.shared(MODEL + "/heads-" + heads);
        SessionOptions options = SessionOptions.of(Tree.DEFAULT).withCandidates(Tree.MAX_RANKS);
        try (Loaded loaded = Loaded.open(gguf(), folder, WeightType.F32, 2, InstructionSet.AUTO);
                Session session = Sessions.session(loaded.base(), loaded.heads(), options)) {
            for (Json expected : prompts) {
                session.setTree(Tree.DEFAULT);
                session.rewind(0);
                session.prefill(expected.get("prompt_ids").ints());
                Continuation.assertFollows(
                        session,
                        expected,
                        expected.get(heads).get("tokens_per_step").ints());
                int compared = HeadCandidates.assertTenBest(session, expected, heads);
                assertTrue(compared >= 1);
            }
        }
    }

    @Test
    void theQ4KernelGivesThePromptsTheirProbabilityWithinHalfAPercent() {
        List<Executable> checks = new ArrayList<>();
        double sum = 0;
        double goldenSum = 0;
        try (Loaded loaded = Loaded.open(gguf(), null, null, 2, InstructionSet.AUTO);
                Session session = loaded.session(Tree.ROOT)) {
            for (Json expected : golden().get("prompts").list()) {
                int[] ids = expected.get("prompt_ids").ints();
                session.rewind(0);
                double mean = Logits.meanLogProbability(Logits.prefill(session, ids), ids);
                double exact = expected.get("prompt_mean_logprob").number();
                String what = String.format(
                        "%d tokens: %.5f, float32 %.5f, %+.3f %%", ids.length, mean, exact, 100 * (mean / exact - 1));
                System.out.println("SmolLM2 Q4_1, " + what);
                checks.add(() -> assertEquals(exact, mean, Q4_1_TOLERANCE * Math.abs(exact), what));
                sum += mean * (ids.length - 1);
                goldenSum += exact * (ids.length - 1);
            }
        }
        double all = sum;
        double allGolden = goldenSum;
        System.out.printf("SmolLM2 Q4_1, all tokens: %+.3f %%%n", 100 * (all / allGolden - 1));
        checks.add(() -> assertEquals(allGolden, all, Q4_1_TOLERANCE * Math.abs(allGolden)));
        assertAll(checks);
    }
}
