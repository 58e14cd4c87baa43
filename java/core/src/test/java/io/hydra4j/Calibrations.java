package io.hydra4j;

import io.hydra4j.decode.GrowthPolicy.Growth;
import io.hydra4j.tuning.GrowthChoice;

/** Calibrations in use, without a model. */
public final class Calibrations {
    private static final int STEPS = 300;
    private static final int LEVELS = 4;

    private Calibrations() {}

    /** Chooses by a calibration how trees grow, for steps of which every other one accepts all that it guesses. */
    public static void use(Calibration calibration) {
        GrowthChoice choice = new GrowthChoice(calibration.costs(), LEVELS);
        float[][] chances = {{0.9f, 0.8f, 0.7f}};
        for (int i = 0; i < STEPS; i++) {
            Growth growth = choice.choose(chances, LEVELS);
            int nodes = Math.min(growth.nodes(), 1 + chances[0].length + growth.levels());
            int emitted = i % 2 == 0 ? 1 : nodes;
            choice.observe(new int[] {emitted}, nodes, 1000L * nodes, 100L * growth.levels());
        }
    }
}
