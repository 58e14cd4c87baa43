package io.hydra4j.model;

import java.util.ArrayList;
import java.util.List;
import java.util.function.IntPredicate;

/** Lays out the attention of a model's layers from what its file says of all of them. */
final class LayerPlan {
    private final int layers;
    private final int context;

    LayerPlan(int layers, int context) {
        this.layers = layers;
        this.context = context;
    }

    /**
     * @param everywhere how heads rotate in layers that see everything
     * @param inWindows how they rotate in those with a window
     * @param window positions of a window; one that the context cannot exceed is none
     * @param isWindowed layers with a window
     * @param rotates layers whose heads rotate
     */
    List<LayerAttention> of(
            RopeAngles everywhere, RopeAngles inWindows, int window, IntPredicate isWindowed, IntPredicate rotates) {
        RopeAngles still = RopeAngles.none(2 * everywhere.frequencies().size());
        var plan = new ArrayList<LayerAttention>(layers);
        for (int i = 0; i < layers; i++) {
            boolean windowed = isWindowed.test(i);
            RopeAngles rope = windowed ? inWindows : everywhere;
            plan.add(new LayerAttention(rotates.test(i) ? rope : still, windowed && window < context ? window : 0));
        }
        return plan;
    }

    /** All layers but every so many. */
    static IntPredicate allBut(int period) {
        return layer -> (layer + 1) % period != 0;
    }
}
