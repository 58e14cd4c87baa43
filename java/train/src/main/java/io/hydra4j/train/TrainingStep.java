package io.hydra4j.train;

import java.util.List;
import java.util.OptionalDouble;

/**
 * A step of a run, as it has just been taken. Immutable.
 *
 * @param step steps that lie behind, this one included
 * @param tokens tokens that lie behind
 * @param fraction of the run that lies behind, 0 to 1
 * @param loss what was minimised
 * @param headLosses {@code [heads]}: a head's part of it, without its weight; NaN where it had nothing to guess
 * @param learningRate the learning rate of the step
 * @param gradientNorm the norm of the gradients before they were clipped
 * @param seconds of training that lie behind, evaluations included
 * @param tokensPerSecond tokens a second, of the last steps
 */
public record TrainingStep(
        long step,
        long tokens,
        double fraction,
        double loss,
        List<Double> headLosses,
        double learningRate,
        double gradientNorm,
        double seconds,
        double tokensPerSecond) {
    /** {@return about how many seconds the run will go on; empty in its first moment} */
    public OptionalDouble secondsLeft() {
        return fraction <= 0 ? OptionalDouble.empty() : OptionalDouble.of(seconds * (1 - fraction) / fraction);
    }
}
