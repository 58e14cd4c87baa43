package io.hydra4j.train;

import java.util.List;

/**
 * How weights follow gradients: AdamW, the learning rate rising linearly and then falling as a cosine to a floor. Immutable; the
 * {@code with} methods give changed copies. Two are equal if all their values are.
 */
public final class OptimiserOptions {
    /** As the Hydra code trains: 5e-4, 100 steps of warm-up, floor 0.33, weight decay 0.1, gradients clipped to a norm of 1. */
    public static final OptimiserOptions DEFAULT = new OptimiserOptions(5e-4, 0.9, 0.999, 1e-8, 0.1, 100, 0.33, 1);

    /** The most steps of warm-up. */
    public static final int MAX_WARM_UP = 1 << 24;

    private final double learningRate;
    private final double beta1;
    private final double beta2;
    private final double epsilon;
    private final double weightDecay;
    private final int warmUpSteps;
    private final double floor;
    private final double clip;

    private OptimiserOptions(
            double learningRate,
            double beta1,
            double beta2,
            double epsilon,
            double weightDecay,
            int warmUpSteps,
            double floor,
            double clip) {
        this.learningRate = learningRate;
        this.beta1 = beta1;
        this.beta2 = beta2;
        this.epsilon = epsilon;
        this.weightDecay = weightDecay;
        this.warmUpSteps = warmUpSteps;
        this.floor = floor;
        this.clip = clip;
    }

    /**
     * {@return these options with another peak of the learning rate}
     *
     * @param learningRate above 0, at most 1
     * @throws IllegalArgumentException if it is out of range
     */
    public OptimiserOptions withLearningRate(double learningRate) {
        Ranges.require("learningRate", learningRate, Double.MIN_NORMAL, 1);
        return new OptimiserOptions(learningRate, beta1, beta2, epsilon, weightDecay, warmUpSteps, floor, clip);
    }

    /**
     * {@return these options with other decay rates of the moments}
     *
     * @param beta1 of the mean of gradients, 0 to 0.9999
     * @param beta2 of the mean of their squares, 0 to 0.999999
     * @throws IllegalArgumentException if one is out of range
     */
    public OptimiserOptions withBetas(double beta1, double beta2) {
        Ranges.require("beta1", beta1, 0, 0.9999);
        Ranges.require("beta2", beta2, 0, 0.999999);
        return new OptimiserOptions(learningRate, beta1, beta2, epsilon, weightDecay, warmUpSteps, floor, clip);
    }

    /**
     * {@return these options with another number that keeps the division by the root of the second moment sane}
     *
     * @param epsilon 1e-16 to 1
     * @throws IllegalArgumentException if it is out of range
     */
    public OptimiserOptions withEpsilon(double epsilon) {
        Ranges.require("epsilon", epsilon, 1e-16, 1);
        return new OptimiserOptions(learningRate, beta1, beta2, epsilon, weightDecay, warmUpSteps, floor, clip);
    }

    /**
     * {@return these options with another decay of matrices; biases and norms do not decay}
     *
     * @param weightDecay 0 to 1, times the learning rate a step
     * @throws IllegalArgumentException if it is out of range
     */
    public OptimiserOptions withWeightDecay(double weightDecay) {
        Ranges.require("weightDecay", weightDecay, 0, 1);
        return new OptimiserOptions(learningRate, beta1, beta2, epsilon, weightDecay, warmUpSteps, floor, clip);
    }

    /**
     * {@return these options with another warm-up}
     *
     * @param warmUpSteps steps in which the learning rate rises linearly, 0 to {@value #MAX_WARM_UP}
     * @throws IllegalArgumentException if it is out of range
     */
    public OptimiserOptions withWarmUpSteps(int warmUpSteps) {
        Ranges.require("warmUpSteps", warmUpSteps, 0, MAX_WARM_UP);
        return new OptimiserOptions(learningRate, beta1, beta2, epsilon, weightDecay, warmUpSteps, floor, clip);
    }

    /**
     * {@return these options with another end of the learning rate}
     *
     * @param floor the part of the peak that the cosine ends at, 0 to 1; 1 for a constant rate
     * @throws IllegalArgumentException if it is out of range
     */
    public OptimiserOptions withFloor(double floor) {
        Ranges.require("floor", floor, 0, 1);
        return new OptimiserOptions(learningRate, beta1, beta2, epsilon, weightDecay, warmUpSteps, floor, clip);
    }

    /**
     * {@return these options with another limit of the gradients' norm, over all weights together}
     *
     * @param clip above 0; 0 for no limit
     * @throws IllegalArgumentException if it is negative or not finite
     */
    public OptimiserOptions withClip(double clip) {
        Ranges.require("clip", clip, 0, 1e9);
        return new OptimiserOptions(learningRate, beta1, beta2, epsilon, weightDecay, warmUpSteps, floor, clip);
    }

    /** {@return the peak of the learning rate} */
    public double learningRate() {
        return learningRate;
    }

    /** {@return the decay rate of the mean of gradients} */
    public double beta1() {
        return beta1;
    }

    /** {@return the decay rate of the mean of their squares} */
    public double beta2() {
        return beta2;
    }

    /** {@return what is added to the root of the second moment} */
    public double epsilon() {
        return epsilon;
    }

    /** {@return the decay of matrices, times the learning rate a step} */
    public double weightDecay() {
        return weightDecay;
    }

    /** {@return steps in which the learning rate rises} */
    public int warmUpSteps() {
        return warmUpSteps;
    }

    /** {@return the part of the peak that the learning rate ends at} */
    public double floor() {
        return floor;
    }

    /** {@return the limit of the gradients' norm; 0 for none} */
    public double clip() {
        return clip;
    }

    /**
     * The learning rate of a step: a cosine over the training, times the warm-up's rise.
     *
     * @param step from 0 on
     * @param fraction of the training that lies behind it, 0 to 1
     */
    double learningRate(long step, double fraction) {
        double rise = step < warmUpSteps ? (step + 1.0) / warmUpSteps : 1;
        double cosine = 0.5 * (1 + Math.cos(Math.PI * Math.min(1, Math.max(0, fraction))));
        return learningRate * rise * (floor + (1 - floor) * cosine);
    }

    private List<Object> values() {
        return List.of(learningRate, beta1, beta2, epsilon, weightDecay, warmUpSteps, floor, clip);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof OptimiserOptions options && values().equals(options.values());
    }

    @Override
    public int hashCode() {
        return values().hashCode();
    }

    @Override
    public String toString() {
        return "OptimiserOptions[" + facts() + "]";
    }

    Facts facts() {
        return new Facts()
                .add("learningRate", learningRate)
                .add("beta1", beta1)
                .add("beta2", beta2)
                .add("epsilon", epsilon)
                .add("weightDecay", weightDecay)
                .add("warmUpSteps", warmUpSteps)
                .add("floor", floor)
                .add("clip", clip);
    }
}
