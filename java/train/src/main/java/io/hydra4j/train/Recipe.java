package io.hydra4j.train;

import io.hydra4j.train.HeadsDesign.Kind;

/**
 * Where options begin: with what is known of how the heads of the papers were trained (arXiv 2401.10774, 2402.05109, and the code beside
 * them). All of them use the base's LM head here, which the published checkpoints do not; {@link HeadsDesign#withLmHead} changes that.
 */
public enum Recipe {
    /** Medusa heads of one block, cross-entropy to the data, 1e-3 falling to 0, no weight decay. */
    MEDUSA,
    /** Hydra heads of one block, cross-entropy to the data, 5e-4 falling to a third, weight decay 0.1. */
    HYDRA,
    /** Hydra++: a prefix layer, heads of four blocks, cross-entropy to the base's distribution, dropout 0.2, and as {@link #HYDRA}. */
    HYDRA_PLUS_PLUS;

    /** {@return what this recipe trains} */
    public HeadsDesign design() {
        return HeadsDesign.of(Kind.valueOf(name()));
    }

    /** {@return what this recipe minimises} */
    public Objective objective() {
        return this == HYDRA_PLUS_PLUS ? Objective.TEACHER.withDropout(0.2) : Objective.DATA;
    }

    /** {@return how weights follow gradients in this recipe} */
    public OptimiserOptions optimiser() {
        return this == MEDUSA
                ? OptimiserOptions.DEFAULT.withLearningRate(1e-3).withFloor(0).withWeightDecay(0)
                : OptimiserOptions.DEFAULT;
    }
}
