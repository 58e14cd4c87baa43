package io.hydra4j;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.decode.Sampling;
import io.hydra4j.decode.Tree;
import io.hydra4j.golden.Original;
import io.hydra4j.runtime.BackendKind;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Whatever guesses, the output is that of plain decoding. */
class DraftSourceTest {
    private static final OpenOptions ONE_THREAD =
            OpenOptions.DEFAULT.withBackend(BackendKind.CPU).withThreads(1);
    private static final GenerationOptions OPTIONS =
            GenerationOptions.DEFAULT.withMaxTokens(200).withIgnoreEnd(true);
    private static final String PROMPT = "public class Example {";

    @TempDir
    private static Path folder;

    private static HydraModel model;
    private static HydraModel alone;

    @BeforeAll
    static void open() {
        Path path = Original.withTokenizer(Original.variant(folder, List.of(257), 1024));
        model = HydraModel.open(path, ONE_THREAD.withHeads(Original.heads("hydra-plus-plus")));
        alone = HydraModel.open(path, ONE_THREAD);
    }

    @AfterAll
    static void close() {
        model.close();
        alone.close();
    }

    @ParameterizedTest
    @EnumSource(DraftSource.class)
    void theOutputIsThatOfPlainDecoding(DraftSource source) {
        for (Sampling sampling :
                List.of(Sampling.GREEDY, Sampling.GREEDY.withTemperature(0.8f).withSeed(7))) {
            GenerationOptions options = OPTIONS.withSampling(sampling);
            int[] plain = model.generate(PROMPT, options.withSpeculation(Speculation.OFF))
                    .ids();
            GenerationOptions guessing = options.withDraft(source);
            // The choices learn from one generation to the next.
            for (int i = 0; i < 3; i++) {
                assertArrayEquals(plain, model.generate(PROMPT, guessing).ids());
            }
            assertArrayEquals(
                    plain,
                    model.generate(PROMPT, guessing.withSpeculation(Speculation.ON))
                            .ids());
            GenerationResult grown = model.generate(PROMPT, guessing.withTree(Tree.dynamic(12)));
            assertArrayEquals(plain, grown.ids());
            assertTrue(grown.acceptanceLength() > 1, source + " guessed nothing right");
        }
    }

    @Test
    void textsBesideAreLookedThrough() {
        GenerationOptions lookup = OPTIONS.withDraft(DraftSource.LOOKUP).withTree(Tree.dynamic(24));
        GenerationResult without = model.generate(PROMPT, lookup);
        String known = PROMPT + without.text();
        GenerationResult with = model.generate(PROMPT, lookup.withDraftTexts(List.of("something else", known)));
        assertArrayEquals(without.ids(), with.ids());
        assertTrue(
                with.statistics().steps() * 2 < without.statistics().steps(),
                with.statistics().steps() + " steps, " + without.statistics().steps() + " without the text");
    }

    @Test
    void aModelWithoutHeadsLooksUpAndRefusesTheOthers() {
        assertEquals(
                "lookup",
                alone.generate(PROMPT, OPTIONS.withTree(Tree.dynamic(8)))
                        .drafter()
                        .orElseThrow());
        for (DraftSource source : List.of(DraftSource.HEADS, DraftSource.HEADS_AND_LOOKUP)) {
            IllegalArgumentException refused = assertThrows(
                    IllegalArgumentException.class, () -> alone.generate(PROMPT, OPTIONS.withDraft(source)));
            assertTrue(refused.getMessage().contains("the model has no draft heads"), refused.getMessage());
        }
    }

    @Test
    void aFixedTreeIsTheHeadsOwn() {
        assertEquals(
                "hydra++",
                model.generate(PROMPT, OPTIONS.withTree(Tree.chain(2)))
                        .drafter()
                        .orElseThrow());
        assertThrows(
                IllegalArgumentException.class,
                () -> model.generate(
                        PROMPT, OPTIONS.withDraft(DraftSource.HEADS_AND_LOOKUP).withTree(Tree.chain(2))));
    }
}
