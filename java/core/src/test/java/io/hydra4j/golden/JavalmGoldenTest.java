package io.hydra4j.golden;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.decode.Session;
import io.hydra4j.decode.SessionOptions;
import io.hydra4j.decode.Step;
import io.hydra4j.decode.Tree;
import io.hydra4j.decode.access.Sessions;
import io.hydra4j.runtime.InstructionSet;
import io.hydra4j.runtime.WeightType;
import io.hydra4j.text.Tokenizer;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What transformers computes in float32 with the Java model, and with its three sets of heads. The steps on all 24 prompts have
 * the tag {@code long}.
 */
class JavalmGoldenTest {
    private static final String MODEL = "models/javalm-19m";
    private static final double TOLERANCE = 1e-3;

    /** Files and tokens of each for the loss: 20,480 tokens in all. */
    private static final int LOSS_FILES = 40;

    private static final int LOSS_TOKENS = 512;

    private static List<Json> golden() {
        return Json.read(TestData.shared("golden/javalm-19m.json")).list();
    }

    private static Loaded open(String heads) {
        return Loaded.open(
                TestData.shared(MODEL),
                heads == null ? null : TestData.shared(MODEL + "/heads-" + heads),
                WeightType.F32,
                2,
                InstructionSet.AUTO);
    }

    @Test
    void logitsAfterThePromptAgreeInFloat32() {
        try (Loaded loaded = open(null);
                Session session = loaded.session(Tree.ROOT)) {
            for (Json expected : golden()) {
                int[] prompt = expected.get("prompt_ids").ints();
                session.rewind(0);
                float[] last = Logits.prefill(session, prompt)[prompt.length - 1];
                Json values = expected.get("last_prompt_logits");
                Logits.assertClose(
                        values.get("ids").ints(), values.get("values").numbers(), last, TOLERANCE, "last");
                assertEquals(expected.get("greedy_ids").at(0).integer(), session.root());
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"medusa", "hydra", "hydra-plus-plus"})
    void everyStepOnAFewPromptsEmitsTheGoldenTokensInFloat32(String heads) {
        try (Loaded loaded = open(heads)) {
            checkSteps(loaded, heads, 4);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"medusa", "hydra", "hydra-plus-plus"})
    @Tag("long")
    void everyStepOnAllPromptsEmitsTheGoldenTokensInFloat32(String heads) {
        try (Loaded loaded = open(heads)) {
            checkSteps(loaded, heads, 1);
        }
    }

    /** Every {@code stride}-th prompt. */
    static void checkSteps(Loaded loaded, String heads, int stride) {
        try (Session session = Sessions.session(loaded.base(), loaded.heads(), SessionOptions.of(Tree.DEFAULT))) {
            List<Json> golden = golden();
            for (int i = 0; i < golden.size(); i += stride) {
                session.rewind(0);
                session.prefill(golden.get(i).get("prompt_ids").ints());
                Continuation.assertFollows(
                        session,
                        golden.get(i),
                        golden.get(i).get(heads).get("tokens_per_step").ints());
            }
        }
    }

    /**
     * The ten best tokens of each head, given the greedy tokens before it: a tree leads along the ranks that these have, as
     * long as they are among the 32 candidates that a tree may use.
     */
    @ParameterizedTest
    @ValueSource(strings = {"medusa", "hydra", "hydra-plus-plus"})
    void theTenBestTokensOfEachHeadAreTheGoldenOnes(String heads) {
        int compared = 0;
        try (Loaded loaded = open(heads)) {
            SessionOptions options = SessionOptions.of(Tree.ROOT).withCandidates(Tree.MAX_RANKS);
            try (Session session = Sessions.session(loaded.base(), loaded.heads(), options)) {
                for (Json expected : golden()) {
                    compared += HeadCandidates.assertTenBest(session, expected, heads);
                }
            }
        }
        // Of 24 prompts x 4 heads; the rest lies after a token that the head before does not have among its
        // candidates.
        assertTrue(compared >= 24 * 2, compared + " compared");
    }

    @Test
    void theLossOfQ8IsThatOfFloat32WithinHalfAPercent() throws IOException {
        double exact;
        double quantised;
        List<int[]> texts = lossTexts();
        try (Loaded loaded = open(null)) {
            exact = loss(loaded, texts);
        }
        try (Loaded loaded =
                Loaded.open(TestData.shared(MODEL + "/javalm-19m-q8_0.gguf"), null, null, 2, InstructionSet.AUTO)) {
            quantised = loss(loaded, texts);
        }
        System.out.printf("javalm-19m next-token loss: float32 %.5f, Q8_0 %.5f%n", exact, quantised);
        assertEquals(exact, quantised, 0.005 * exact);
        assertEquals(1.56, exact, 0.3, "the model's README states 1.56 over whole files");
    }

    private static List<int[]> lossTexts() throws IOException {
        List<int[]> texts = new ArrayList<>();
        try (Tokenizer tokenizer = Tokenizer.fromJson(TestData.shared(MODEL + "/tokenizer.json"));
                BufferedReader lines = new BufferedReader(new InputStreamReader(
                        TestData.open(TestData.shared("data/java-heldout.jsonl.xz")), StandardCharsets.UTF_8))) {
            for (String line = lines.readLine(); line != null && texts.size() < LOSS_FILES; line = lines.readLine()) {
                int[] ids = tokenizer.encode(Json.parse(line).get("text").text());
                int[] begun = IntStream.concat(
                                IntStream.of(0), Arrays.stream(ids).filter(id -> id != 0))
                        .limit(LOSS_TOKENS)
                        .toArray();
                if (begun.length == LOSS_TOKENS) {
                    texts.add(begun);
                }
            }
        }
        return texts;
    }

    private static double loss(Loaded loaded, List<int[]> texts) {
        double sum = 0;
        try (Session session = loaded.session(Tree.ROOT)) {
            for (int[] ids : texts) {
                session.rewind(0);
                sum -= Logits.meanLogProbability(Logits.prefill(session, ids), ids);
            }
        }
        return sum / texts.size();
    }

    @Test
    void theQ8FileFollowsTheGoldenTextForAsLongAsTheChoiceIsClear() {
        try (Loaded loaded = Loaded.open(TestData.shared(MODEL + "/javalm-19m-q8_0.gguf"), null, null)) {
            checkClearChoices(loaded);
        }
    }

    /** The greedy tokens of all prompts, up to where the golden logits are no longer 0.5 apart. */
    static void checkClearChoices(Loaded loaded) {
        try (Session session = loaded.session(Tree.ROOT)) {
            for (Json expected : golden()) {
                session.rewind(0);
                session.prefill(expected.get("prompt_ids").ints());
                double[] gaps = expected.get("top2_gap").numbers();
                int[] ids = expected.get("greedy_ids").ints();
                int clear = 0;
                while (clear < ids.length && gaps[clear] > 0.5) {
                    clear++;
                }
                int[] found = new int[clear];
                for (int i = 0; i < clear; i++) {
                    Step step = session.step();
                    found[i] = step.tokens()[0];
                }
                assertArrayEquals(Arrays.copyOf(ids, clear), found);
            }
        }
    }
}
