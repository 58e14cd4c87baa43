package io.hydra4j;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.decode.Tree;
import io.hydra4j.golden.Original;
import io.hydra4j.golden.TestData;
import io.hydra4j.runtime.BackendKind;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.OptionalInt;
import java.util.concurrent.CancellationException;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TuneTreeTest {
    private static final OpenOptions OPTIONS =
            OpenOptions.DEFAULT.withBackend(BackendKind.CPU).withThreads(1);
    private static final TuningOptions SHORT =
            TuningOptions.DEFAULT.withTokens(800).withMaxTokens(60).withMaxNodes(12);

    @TempDir
    static Path folder;

    private static List<String> texts;
    private static HydraModel model;

    @BeforeAll
    static void open() throws IOException {
        texts = TestData.heldOutPrompts().subList(0, 20);
        model = HydraModel.open(
                Original.withTokenizer(Original.variant(folder, List.of(257), 1024)),
                OPTIONS.withHeads(Original.heads("hydra-plus-plus")));
    }

    @AfterAll
    static void close() {
        model.close();
    }

    private static void assertConsistent(TunedTree tuned, int maxNodes) {
        MeasuredTree chosen = tuned.chosen();
        assertEquals(tuned.tree().nodes(), chosen.nodes());
        assertEquals(tuned.tree().depth(), chosen.depth());
        assertTrue(tuned.measured().contains(chosen));
        assertTrue(tuned.tuningTokens() > 0 && tuned.heldOutTokens() > 0);
        List<MeasuredTree> measured = tuned.measured();
        assertEquals(1, measured.get(0).nodes());
        assertEquals(1.0, measured.get(0).acceptanceLength());
        assertEquals(1.0, measured.get(0).tuningAcceptanceLength());
        assertEquals(maxNodes, measured.get(measured.size() - 1).nodes());
        double longest = 0;
        for (MeasuredTree tree : measured) {
            assertTrue(tree.acceptanceLength() >= 1 && tree.acceptanceLength() <= tree.depth() + 1, tree.toString());
            assertTrue(tree.stepNanos() >= measured.get(0).stepNanos(), "no tree is cheaper than a plain step");
            assertEquals(1e9 * tree.acceptanceLength() / tree.stepNanos(), tree.tokensPerSecond(), 1e-6);
            longest = Math.max(longest, tree.acceptanceLength());
        }
        assertTrue(longest > 1);
    }

    @Test
    void theTreeIsOneOfTheMeasuredAndFastestByTheHalfThatMayChoose() {
        TunedTree tuned = model.tuneTree(texts, SHORT);
        assertConsistent(tuned, 12);
        double best = tuned.measured().stream()
                .mapToDouble(tree -> tree.tuningAcceptanceLength() / tree.stepNanos())
                .max()
                .orElseThrow();
        MeasuredTree chosen = tuned.chosen();
        assertTrue(chosen.tuningAcceptanceLength() / chosen.stepNanos() >= 0.99 * best);
        assertEquals("4 hydra++", tuned.facts().get("heads"));
        assertEquals("CPU", tuned.facts().get("backend"));
        assertEquals(folder.getFileName().toString(), tuned.facts().get("model"));
        assertTrue(tuned.facts().containsKey("processor"));
        Path file = folder.resolve("tree.json");
        tuned.save(file);
        assertEquals(tuned, TunedTree.load(file));
    }

    @ParameterizedTest
    @ValueSource(ints = {2, 7, 12})
    void aSizeThatIsFixedGivesTheTreeFromWhichMostIsAccepted(int nodes) {
        TunedTree tuned = model.tuneTree(texts, SHORT.withNodes(nodes));
        assertConsistent(tuned, 12);
        assertEquals(nodes, tuned.tree().nodes());
        assertTrue(tuned.measured().stream()
                .filter(tree -> tree.nodes() <= nodes)
                .allMatch(
                        tree -> tree.tuningAcceptanceLength() <= tuned.chosen().tuningAcceptanceLength() + 0.05));
    }

    @Test
    void theTreeDecodesTheSameText() {
        Tree tree = model.tuneTree(texts, SHORT.withNodes(8)).tree();
        GenerationOptions options = GenerationOptions.DEFAULT.withMaxTokens(80);
        GenerationResult plain = model.generate(texts.get(0), options.withSpeculation(Speculation.OFF));
        GenerationResult guessed = model.generate(texts.get(0), options.withTree(tree));
        assertArrayEquals(plain.ids(), guessed.ids());
        assertTrue(guessed.acceptanceLength() > 1);
    }

    /** What the halves say may differ; the order must not depend on the half that only measures. */
    @Test
    void theHalfThatMeasuresChoosesNothing() {
        TunedTree once = model.tuneTree(texts, SHORT.withNodes(12));
        List<String> others = new ArrayList<>(texts);
        for (int i = 1; i < others.size(); i += 2) {
            others.set(i, TestData.heldOutPrompts().get(20 + i));
        }
        TunedTree again = model.tuneTree(others, SHORT.withNodes(12));
        assertEquals(once.tree(), again.tree());
        assertEquals(once.chosen().tuningAcceptanceLength(), again.chosen().tuningAcceptanceLength());
        assertTrue(once.chosen().acceptanceLength() != again.chosen().acceptanceLength());
    }

    @Test
    void textsThatCannotBeUsedAreTold() {
        assertEquals(
                "the text: has no text: give a text like what the model will write",
                assertThrows(HydraException.class, () -> model.tuneTree(List.of(""), SHORT))
                        .getMessage());
        assertTrue(assertThrows(HydraException.class, () -> model.tuneTree(List.of("a"), SHORT))
                .getMessage()
                .startsWith("the text: is too short"));
        NullPointerException none =
                assertThrows(NullPointerException.class, () -> model.tuneTree(Collections.singletonList(null), SHORT));
        assertTrue(none.getMessage().startsWith("a text is null"), none.getMessage());
    }

    @Test
    void aModelWithoutHeadsOrTokenizerHasNoTreeToTune() {
        try (HydraModel plain = HydraModel.open(folder, OPTIONS)) {
            assertTrue(assertThrows(HydraException.class, () -> plain.tuneTree(texts, SHORT))
                    .getMessage()
                    .contains("without draft heads"));
        }
        try (HydraModel mute = HydraModel.open(Original.base(), OPTIONS.withHeads(Original.heads("hydra-plus-plus")))) {
            assertTrue(assertThrows(HydraException.class, () -> mute.tuneTree(texts, SHORT))
                    .getMessage()
                    .contains("has no tokenizer"));
        }
    }

    @Test
    void whatTheListenerThrowsEndsTheTuning() {
        assertThrows(
                CancellationException.class,
                () -> model.tuneTree(texts, SHORT.withProgress(fraction -> {
                    throw new CancellationException();
                })));
        assertTrue(
                model.generate("a", GenerationOptions.DEFAULT.withMaxTokens(2)).completionTokens() > 0);
    }

    @Test
    void closingTheModelEndsTheTuning() {
        HydraModel closed = HydraModel.open(folder, OPTIONS.withHeads(Original.heads("hydra-plus-plus")));
        IllegalStateException ended = assertThrows(
                IllegalStateException.class,
                () -> closed.tuneTree(texts, SHORT.withProgress(fraction -> closed.close())));
        assertEquals("the model is closed", ended.getMessage());
    }

    @Test
    void optionsAreChecked() {
        assertEquals(OptionalInt.empty(), TuningOptions.DEFAULT.nodes());
        assertEquals(16, TuningOptions.DEFAULT.withMaxNodes(8).withNodes(16).maxNodes());
        assertEquals(16, TuningOptions.DEFAULT.withNodes(16).withMaxNodes(8).maxNodes());
        assertThrows(IllegalArgumentException.class, () -> TuningOptions.DEFAULT.withNodes(1));
        assertThrows(IllegalArgumentException.class, () -> TuningOptions.DEFAULT.withMaxNodes(65));
        assertThrows(IllegalArgumentException.class, () -> TuningOptions.DEFAULT.withTokens(0));
        assertThrows(IllegalArgumentException.class, () -> TuningOptions.DEFAULT.withMaxTokens(0));
        assertThrows(NullPointerException.class, () -> TuningOptions.DEFAULT.withProgress(null));
        assertEquals(TuningOptions.DEFAULT.withTokens(7), TuningOptions.DEFAULT.withTokens(7));
    }
}
