package io.hydra4j;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.decode.LogProbabilities;
import io.hydra4j.decode.Sampling;
import io.hydra4j.decode.TokenLogProbability;
import io.hydra4j.decode.Tree;
import io.hydra4j.golden.Original;
import io.hydra4j.runtime.BackendKind;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Level 1 with sampling: a text depends on prompt, options and seed alone. */
class SampledGenerationTest {
    private static final String PROMPT = "public class Lists {\n    private int ";
    private static final GenerationOptions OPTIONS =
            GenerationOptions.DEFAULT.withMaxTokens(120).withIgnoreEnd(true);

    @TempDir
    private static Path folder;

    private static Path path;
    private static HydraModel withHeads;
    private static HydraModel withoutHeads;

    @BeforeAll
    static void open() {
        path = Original.withTokenizer(Original.variant(folder, List.of(257), 1024));
        withHeads = open(Original.heads("hydra-plus-plus"));
        withoutHeads = open(null);
    }

    private static HydraModel open(Path heads) {
        return HydraModel.open(
                path,
                OpenOptions.DEFAULT.withBackend(BackendKind.CPU).withThreads(1).withHeads(heads));
    }

    @AfterAll
    static void close() {
        withHeads.close();
        withoutHeads.close();
    }

    @Test
    void theTextDoesNotDependOnHowItIsGuessed() {
        for (int seed = 0; seed < 6; seed++) {
            Sampling sampling =
                    Sampling.of(0.5f + 0.2f * seed, seed).withTopP(0.95f).withFrequencyPenalty(0.1f * seed);
            GenerationOptions options = OPTIONS.withSampling(sampling);
            int[] expected = withoutHeads
                    .generate(PROMPT, options.withSpeculation(Speculation.OFF))
                    .ids();
            for (Speculation speculation : Speculation.values()) {
                for (HydraModel model : List.of(withHeads, withoutHeads)) {
                    assertArrayEquals(
                            expected,
                            model.generate(PROMPT, options.withSpeculation(speculation))
                                    .ids(),
                            speculation + " with " + sampling);
                }
            }
            GenerationResult tree = withHeads.generate(
                    PROMPT, options.withSpeculation(Speculation.ON).withTree(Tree.chain(2)));
            assertArrayEquals(expected, tree.ids());
            assertTrue(tree.acceptanceLength() > 1, "guesses must be accepted for this test to mean anything");
        }
    }

    @Test
    void aModelWithoutCalibrationFindsOutWhileItSamples() {
        GenerationOptions options = OPTIONS.withMaxTokens(60).withSampling(Sampling.of(1, 1));
        int[] expected = withHeads
                .generate("a", options.withSpeculation(Speculation.OFF))
                .ids();
        try (HydraModel fresh = open(Original.heads("hydra"))) {
            GenerationResult result = fresh.generate("a", options.withSpeculation(Speculation.AUTO));

            assertArrayEquals(expected, result.ids());
            assertTrue(result.statistics().draftedSteps() > 0, "a few steps with a small tree are tried in any case");
        }
    }

    @Test
    void greedyIsTheDefault() {
        assertEquals(Sampling.GREEDY, OPTIONS.sampling());
        assertArrayEquals(
                withHeads.generate(PROMPT, OPTIONS).ids(),
                withHeads
                        .generate(PROMPT, OPTIONS.withSampling(Sampling.of(0, 7)))
                        .ids());
        assertFalse(Arrays.equals(
                withHeads.generate(PROMPT, OPTIONS).ids(),
                withHeads
                        .generate(PROMPT, OPTIONS.withSampling(Sampling.of(1, 7)))
                        .ids()));
    }

    @Test
    void logProbabilitiesBelongToTheTokensOfResultAndChunks() {
        GenerationOptions options =
                OPTIONS.withMaxTokens(30).withSampling(Sampling.of(0.8f, 3)).withLogProbabilities(4);
        List<LogProbabilities> ofChunks = new ArrayList<>();

        GenerationResult result = withHeads.generate(PROMPT, options.withSpeculation(Speculation.ON), chunk -> {
            assertEquals(chunk.ids().length, chunk.logProbabilities().size());
            ofChunks.addAll(chunk.logProbabilities());
        });

        assertEquals(ofChunks, result.logProbabilities());
        assertArrayEquals(
                result.ids(),
                ofChunks.stream().mapToInt(each -> each.chosen().token()).toArray());
        for (LogProbabilities each : ofChunks) {
            assertEquals(4, each.top().size());
            TokenLogProbability best = each.top().get(0);
            assertTrue(best.logProbability() >= each.chosen().logProbability());
        }
        assertEquals(
                result.logProbabilities(),
                withoutHeads
                        .generate(PROMPT, options.withSpeculation(Speculation.OFF))
                        .logProbabilities());
        assertTrue(withHeads.generate(PROMPT, OPTIONS).logProbabilities().isEmpty());
    }

    @Test
    void optionsThatDoNotFitAreRefused() {
        assertThrows(NullPointerException.class, () -> OPTIONS.withSampling(null));
        for (int top : new int[] {-1, 21}) {
            String message = assertThrows(IllegalArgumentException.class, () -> OPTIONS.withLogProbabilities(top))
                    .getMessage();
            assertEquals("logProbabilities is " + top + ": give 0 to 20", message);
        }
        GenerationOptions unknown = OPTIONS.withSampling(Sampling.GREEDY.withLogitBias(Map.of(100_000, 1f)));
        String message = assertThrows(IllegalArgumentException.class, () -> withHeads.generate(PROMPT, unknown))
                .getMessage();
        assertTrue(message.startsWith("logitBias is given for token 100000, which is outside the vocabulary"), message);
        assertNotEquals(OPTIONS, unknown);
        assertNotEquals(OPTIONS, OPTIONS.withLogProbabilities(0));
        assertEquals(unknown, unknown.toBuilder().build());
    }
}
