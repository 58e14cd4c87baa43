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
 * What transformers computes in float32 with the Java model, and with its three sets of heads. Steps and heads on all 24 prompts
 * and the loss of all files have the tag {@code long}; without it a few are computed.
 */
class JavalmGoldenTest {
    private static final String MODEL = "models/javalm-19m";
    private static final double TOLERANCE = 1e-3;

    /** Every so many prompts one is computed where a few are enough: three of 24. */
    private static final int STRIDE = 8;

    /** Tokens of each file for the loss. */
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
            checkSteps(loaded, heads, STRIDE);
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

    @ParameterizedTest
    @ValueSource(strings = {"medusa", "hydra", "hydra-plus-plus"})
    void theTenBestTokensOfEachHeadOnAFewPromptsAreTheGoldenOnes(String heads) {
        checkTenBest(heads, STRIDE);
    }

    @ParameterizedTest
    @ValueSource(strings = {"medusa", "hydra", "hydra-plus-plus"})
    @Tag("long")
    void theTenBestTokensOfEachHeadOnAllPromptsAreTheGoldenOnes(String heads) {
        checkTenBest(heads, 1);
    }

    /**
     * The ten best tokens of each head, given the greedy tokens before it: a tree leads along the ranks that these have, as
     * long as they are among the 32 candidates that a tree may use. Of every {@code stride}-th prompt.
     */
    private static void checkTenBest(String heads, int stride) {
        List<Json> golden = golden();
        int prompts = 0;
        int compared = 0;
        try (Loaded loaded = open(heads)) {
            SessionOptions options = SessionOptions.of(Tree.ROOT).withCandidates(Tree.MAX_RANKS);
            try (Session session = Sessions.session(loaded.base(), loaded.heads(), options)) {
                for (int i = 0; i < golden.size(); i += stride) {
                    compared += HeadCandidates.assertTenBest(session, golden.get(i), heads);
                    prompts++;
                }
            }
        }
        // Of 4 heads on each prompt; the rest lies after a token that the head before does not have among its
        // candidates.
        assertTrue(compared >= prompts * 2, compared + " compared on " + prompts + " prompts");
    }

    @Test
    void theLossOfQ8OnAFewFilesIsThatOfFloat32WithinHalfAPercent() throws IOException {
        checkLoss(10);
    }

    @Test
    @Tag("long")
    void theLossOfQ8IsThatOfFloat32WithinHalfAPercent() throws IOException {
        checkLoss(40);
    }

    private static void checkLoss(int files) throws IOException {
        double exact;
        double quantised;
        List<int[]> texts = lossTexts(files);
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

    private static List<int[]> lossTexts(int files) throws IOException {
        List<int[]> texts = new ArrayList<>();
        try (Tokenizer tokenizer = Tokenizer.fromJson(TestData.shared(MODEL + "/tokenizer.json"));
                BufferedReader lines = new BufferedReader(new InputStreamReader(
                        TestData.open(TestData.shared("data/java-heldout.jsonl.xz")), StandardCharsets.UTF_8))) {
            for (String line = lines.readLine(); line != null && texts.size() < files; line = lines.readLine()) {
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
