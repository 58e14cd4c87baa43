package io.hydra4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PairedRatioTest {
    @ParameterizedTest
    @CsvSource({
        "1, 12.7062",
        "2, 4.30265",
        "3, 3.18245",
        "4, 2.77645",
        "5, 2.57058",
        "10, 2.22814",
        "30, 2.04227",
        "1000, 1.96234"
    })
    void quantilesAreThoseOfTheTables(int freedom, double expected) {
        assertEquals(expected, PairedRatio.quantile(freedom), 0.002 * expected);
    }

    @Test
    void theFigureIsTheGeometricMeanAndTheIntervalThatOfTheLogarithms() {
        // Logarithms 0.1, 0.2, 0.3: mean 0.2, standard error 0.1 / sqrt(3), t of two degrees of freedom 4.30265.
        PairedRatio ratio =
                PairedRatio.of(Stream.of(0.1, 0.2, 0.3).map(Math::exp).toList());
        assertEquals(Math.exp(0.2), ratio.mean(), 1e-9);
        assertEquals(Math.exp(0.2 - 4.30265 * 0.1 / Math.sqrt(3)), ratio.low(), 1e-5);
        assertEquals(Math.exp(0.2 + 4.30265 * 0.1 / Math.sqrt(3)), ratio.high(), 1e-5);
        assertFalse(ratio.isDifference());
        assertEquals("no difference seen", ratio.verdict());
    }

    @Test
    void whatIsAlwaysFasterOrSlowerIsADifference() {
        PairedRatio faster = PairedRatio.of(List.of(1.2, 1.25, 1.3, 1.22));
        assertTrue(faster.isDifference());
        assertEquals("faster", faster.verdict());
        PairedRatio slower = PairedRatio.of(List.of(1 / 1.2, 1 / 1.25, 1 / 1.3, 1 / 1.22));
        assertEquals("slower", slower.verdict());
        assertEquals(1 / faster.high(), slower.low(), 1e-12);
    }

    @Test
    void onePromptTellsNothingOfTheInterval() {
        PairedRatio ratio = PairedRatio.of(List.of(1.5));
        assertEquals(1.5, ratio.mean(), 1e-12);
        assertTrue(Double.isNaN(ratio.low()) && Double.isNaN(ratio.high()));
        assertFalse(ratio.isDifference());
        assertEquals("one prompt", ratio.verdict());
    }

    @Test
    void equalRatiosHaveAnIntervalOfNoWidth() {
        PairedRatio ratio = PairedRatio.of(Collections.nCopies(5, 1.0));
        assertEquals(1, ratio.low());
        assertEquals(1, ratio.high());
        assertFalse(ratio.isDifference());
    }

    /** Seeded, so that it is the same every time. */
    @Test
    void aboutOneIntervalInTwentyMissesTheMean() {
        Random random = new Random(11);
        int missed = 0;
        for (int i = 0; i < 2000; i++) {
            List<Double> ratios = IntStream.range(0, 8)
                    .mapToObj(k -> Math.exp(0.3 * random.nextGaussian()))
                    .toList();
            missed += PairedRatio.of(ratios).isDifference() ? 1 : 0;
        }
        assertTrue(missed > 70 && missed < 130, missed + " of 2000");
    }
}
