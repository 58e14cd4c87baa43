package io.hydra4j.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class RopeAnglesTest {
    private static void assertFrequencies(RopeAngles angles, double... expected) {
        float[] found = angles.array();
        assertEquals(expected.length, found.length);
        for (int i = 0; i < expected.length; i++) {
            assertEquals(expected[i], found[i], 1e-6 * expected[i], "pair " + i);
        }
    }

    @Test
    void thePairsAfterThoseThatRotateStayAsTheyAre() {
        assertFrequencies(RopeAngles.of(8, 4, 100), 1, 0.1, 0, 0);
        assertEquals(2, RopeAngles.of(8, 4, 100).pairs());
        assertTrue(RopeAngles.of(8, 4, 100).rotates());
        assertFalse(RopeAngles.none(8).rotates());
        assertFrequencies(RopeAngles.of(8, 4, 100).dividedBy(i -> i + 2), 0.5, 0.1 / 3, 0, 0);
    }

    @Test
    void llama3DividesSlowPairsAloneAndThoseBetweenInPart() {
        // Turns over 64 positions: 10.2, 3.2, 1.02, 0.32; of the second, (3.2 - 1) / (4 - 1) stay.
        double turns = 64 / (2 * Math.PI) * Math.pow(100, -0.25);
        double kept = (turns - 1) / 3;
        double third = Math.max(0, (64 / (2 * Math.PI) * 0.1 - 1) / 3);
        assertFrequencies(
                RopeAngles.of(8, 8, 100).llama3(8, 1, 4, 64),
                1,
                Math.pow(100, -0.25) * ((1 - kept) / 8 + kept),
                0.1 * ((1 - third) / 8 + third),
                Math.pow(100, -0.75) / 8);
    }

    @Test
    void yarnDividesFromThePairOfTheFastBoundToThatOfTheSlowOne() {
        // Of 16 values, base 10000, 1000 positions: the pairs of 32 and 1 turns are 1.39 and 4.40, rounded 1 and 5.
        double[] expected = new double[8];
        for (int i = 0; i < 8; i++) {
            double divided = Math.max(0, Math.min(1, (i - 1) / 4.0));
            expected[i] = Math.pow(10000, -i / 8.0) * (divided / 4 + 1 - divided);
        }
        assertFrequencies(RopeAngles.of(16, 16, 10000).yarn(4, 10000, 1000, 32, 1, true), expected);
        assertEquals(1.138629f, RopeAngles.yarnScale(4), 1e-6);
        assertEquals(1, RopeAngles.yarnScale(1));
    }

    @Test
    void longRopeScalesByTheLogarithmsOfItsContexts() {
        assertEquals(1.190238f, RopeAngles.longRopeScale(32, 4096), 1e-6);
        assertEquals(1, RopeAngles.longRopeScale(0.5, 4096));
    }
}
