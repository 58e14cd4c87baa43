package io.hydra4j;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.decode.SessionOptions;
import io.hydra4j.decode.Tree;
import io.hydra4j.golden.Original;
import io.hydra4j.runtime.BackendKind;
import io.hydra4j.runtime.Resources;
import io.hydra4j.tuning.GrowthChoice;
import io.hydra4j.tuning.GrowthCosts;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class CalibrationTest {
    private static final OpenOptions OPTIONS = OpenOptions.DEFAULT
            .withHeads(Original.heads("hydra-plus-plus"))
            .withBackend(BackendKind.CPU)
            .withThreads(1);
    private static final int[] PROMPT = {1, 2, 3, 4, 5};
    private static final GenerationOptions LIMITS =
            GenerationOptions.DEFAULT.withMaxTokens(60).withIgnoreEnd(true);
    private static final Duration SHORT = Duration.ofMillis(20);

    @TempDir
    private Path folder;

    @Test
    void aCalibrationThatWasSavedIsLoadedAsItWasAndTheTextStays() {
        Path file = folder.resolve("calibration.json");
        Calibration made;
        int[] plain;
        try (HydraModel model = HydraModel.open(Original.base(), OPTIONS)) {
            plain = model.generate(PROMPT, LIMITS.withSpeculation(Speculation.OFF))
                    .ids();
            assertArrayEquals(plain, model.generate(PROMPT, LIMITS).ids(), "before");
            made = model.calibrate(SHORT);
            assertTrue(made.plainStepNanos() > 0 && made.nanos() > 0);
            assertArrayEquals(plain, model.generate(PROMPT, LIMITS).ids(), "after");
            made.save(file);
        }
        Calibration loaded = Calibration.load(file);
        assertEquals(made, loaded);
        try (HydraModel model = HydraModel.open(Original.base(), OPTIONS.withCalibration(loaded))) {
            assertArrayEquals(plain, model.generate(PROMPT, LIMITS).ids());
            GenerationResult guessed = model.generate(PROMPT, LIMITS.withSpeculation(Speculation.ON));
            assertArrayEquals(plain, guessed.ids());
            assertEquals(made.plainStepNanos(), guessed.plainStepNanos().orElseThrow());
            assertEquals(
                    guessed.statistics().nanosPerStep() / made.plainStepNanos(),
                    guessed.rho().orElseThrow(),
                    1e-9);
        }
    }

    @Test
    void aModelWithoutHeadsIsCalibratedForWhatItLooksUp() {
        Path file = folder.resolve("calibration.json");
        OpenOptions options = OpenOptions.DEFAULT.withBackend(BackendKind.CPU).withThreads(1);
        Calibration made;
        int[] plain;
        try (HydraModel model = HydraModel.open(Original.base(), options)) {
            plain = model.generate(PROMPT, LIMITS.withSpeculation(Speculation.OFF))
                    .ids();
            made = model.calibrate(SHORT);
            assertArrayEquals(plain, model.generate(PROMPT, LIMITS).ids());
            made.save(file);
        }
        assertEquals(List.of(), made.costs().draftNanos());
        assertEquals(
                GrowthCosts.nodes(), made.costs().rows().get(made.costs().rows().size() - 1));
        try (HydraModel model = HydraModel.open(Original.base(), options.withCalibration(Calibration.load(file)))) {
            assertArrayEquals(plain, model.generate(PROMPT, LIMITS).ids());
        }
    }

    /** A budget of nothing stands for a model whose steps take seconds. */
    @Test
    void howLongItTakesDoesNotGrowWithTheNumberOfTrees() {
        try (HydraModel model = HydraModel.open(Original.base(), OPTIONS)) {
            Calibration made = model.calibrate(Duration.ofNanos(1));
            assertTrue(made.plainStepNanos() > 0);
            assertTrue(model.generate(PROMPT, LIMITS).statistics().steps() > 0);
            assertThrows(IllegalArgumentException.class, () -> model.calibrate(Duration.ZERO));
        }
    }

    @ParameterizedTest
    @CsvSource({"threads, 2, hydra-plus-plus", "heads, 1, hydra"})
    void aCalibrationThatWasMadeWithSomethingElseIsRefusedByName(String fact, int threads, String heads) {
        Calibration made;
        try (HydraModel model = HydraModel.open(Original.base(), OPTIONS)) {
            made = model.calibrate(SHORT);
        }
        OpenOptions other =
                OPTIONS.withThreads(threads).withHeads(Original.heads(heads)).withCalibration(made);
        CalibrationMismatchException refused =
                assertThrows(CalibrationMismatchException.class, () -> HydraModel.open(Original.base(), other));
        assertEquals(fact, refused.fact());
        assertTrue(refused.getMessage().contains(refused.present()), refused.getMessage());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "\"version\" : 2 | \"version\" : 1",
                "\"calibration_ns\" : | \"calibration_ns\" : -",
                "\"pass_rows\" : [ | \"pass_rows\" : [ 2.0,",
                "\"pass_rows\" : [ | \"pass_rows\" : [ -1.0,",
                "\"pass_ns\" : [ | \"pass_ns\" : [ 1.0,",
                "\"pass_ns\" : [ | \"pass_ns\" : [ \"x\",",
                "\"draft_ns\" : [ | \"draft_ns\" : [ 0.0,",
                "\"draft_ns\" : [ | \"draft_ns\" : [ 1e300,",
                "\"facts\" | \"fakts\"",
                "{ | [",
            })
    void aFileThatIsNoCalibrationIsRefusedWithItsName(String part, String instead) throws IOException {
        Path file = folder.resolve("calibration.json");
        try (HydraModel model = HydraModel.open(Original.base(), OPTIONS)) {
            model.calibrate(SHORT).save(file);
        }
        String text = Files.readString(file);
        assertTrue(text.contains(part), text);
        Files.writeString(file, text.replace(part, instead));
        HydraException refused = assertThrows(HydraException.class, () -> Calibration.load(file));
        assertTrue(refused.getMessage().contains("calibration.json"), refused.getMessage());
    }

    @Test
    void aFileThatIsNotThereIsRefusedWithItsName() {
        Path none = folder.resolve("none.json");
        assertTrue(assertThrows(HydraException.class, () -> Calibration.load(none))
                .getMessage()
                .contains("none.json"));
        Path nowhere = folder.resolve("none/calibration.json");
        try (HydraModel model = HydraModel.open(Original.base(), OPTIONS)) {
            Calibration made = model.calibrate(SHORT);
            assertTrue(assertThrows(HydraException.class, () -> made.save(nowhere))
                    .getMessage()
                    .contains("cannot be written"));
        }
    }

    /** Where no page is free: neither the first token nor the result needs a session of its own. */
    @ParameterizedTest
    @EnumSource(Speculation.class)
    void nothingIsMeasuredApartWhereNothingWasCalibrated(Speculation speculation) {
        try (HydraModel model = HydraModel.open(Original.base(), OPTIONS)) {
            int[] expected = model.generate(PROMPT, LIMITS).ids();
            TokenStream stream = model.stream(PROMPT, LIMITS.withSpeculation(speculation));
            try (Resources taken = new Resources()) {
                assertThrows(KvPagesExhaustedException.class, () -> takeAll(model, taken));
                stream.forEachRemaining(chunk -> {});
                GenerationResult result = stream.result();
                assertArrayEquals(expected, result.ids());
                assertEquals(result, stream.result());
                if (speculation != Speculation.AUTO) { // that depends on what it has learned
                    assertEquals(speculation == Speculation.ON, result.rho().isEmpty(), "known where a step was plain");
                }
            }
        }
    }

    private static void takeAll(HydraModel model, Resources taken) {
        for (int i = 0; i < 1000; i++) {
            taken.own(model.session(SessionOptions.of(Tree.ROOT))).reserve(1);
        }
    }

    @Test
    void aGenerationThatBeganBeforeACalibrationDoesNotReplaceIt() {
        try (HydraModel model = HydraModel.open(Original.base(), OPTIONS)) {
            TokenStream early = model.stream(PROMPT, LIMITS);
            early.next();
            Calibration made = model.calibrate(SHORT);
            early.close();
            GrowthChoice calibrated = model.guessing(LIMITS).growth();
            model.stream(PROMPT, LIMITS).close();
            assertTrue(calibrated.continues(model.guessing(LIMITS).growth()));
            // It knows from the first step on what the calibration has measured.
            assertTrue(calibrated.choose(new float[][] {{0.9f}}, 4).nodes() > 1, made.toString());
        }
    }

    /** Whoever has the old file open reads it to its end. */
    @Test
    void aFileThatIsThereIsReplacedAtOnce() throws IOException {
        Path file = folder.resolve("calibration.json");
        Files.writeString(file, "old");
        Path old = Files.createLink(folder.resolve("old.json"), file);
        try (HydraModel model = HydraModel.open(Original.base(), OPTIONS)) {
            Calibration made = model.calibrate(SHORT);
            made.save(file);
            assertEquals(made, Calibration.load(file));
            Path taken = Files.createDirectory(folder.resolve("taken"));
            assertThrows(HydraException.class, () -> made.save(taken));
        }
        assertEquals("old", Files.readString(old));
        try (Stream<Path> files = Files.list(folder)) {
            assertEquals(3, files.count(), "nothing is left beside it");
        }
    }
}
