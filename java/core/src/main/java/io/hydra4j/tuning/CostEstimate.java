package io.hydra4j.tuning;

import io.hydra4j.decode.Tree;
import java.util.Arrays;
import java.util.List;

/**
 * What is believed of the costs of steps with each tree, in plain steps. Their logarithms count as normally distributed around what
 * was measured at first: plain steps may have been measured in another moment than the others, and trees of similar sizes are
 * wrong together. Two periods of steps in succession tell the relation of their trees, since the machine has hardly changed
 * between them; how much that moves each of the costs follows from the variances (a Kalman filter). Not thread-safe.
 */
final class CostEstimate {
    /** Variances of the measured costs: of all trees together beside plain steps, and of a tree beside one of another size. */
    private static final double TOGETHER = 0.2 * 0.2;

    private static final double APART = 0.1 * 0.1;
    /** Variance of a comparison: machines change their speed. */
    private static final double COMPARISON = 0.3 * 0.3;
    /** Part of the first variances by which they grow with each comparison, so that costs may change. */
    private static final double DRIFT = 0.02;
    /** Standard deviations beyond which a comparison counts as an accident. */
    private static final double ACCIDENT = 2;
    /** Standard deviations by which a cost may be less than is thought. */
    private static final double OPTIMISM = 0.5;

    /** {@code [tree]}: the logarithm of the cost. */
    private final double[] mean;
    /** {@code [tree][tree]} */
    private final double[][] covariance;

    private final double[][] drift;

    /**
     * @param trees the root alone first
     * @param nanos what was measured or estimated of each
     * @param doubt how much larger the variances are than those of measured costs
     */
    CostEstimate(List<Tree> trees, double[] nanos, double doubt) {
        mean = Arrays.stream(nanos).map(Math::log).toArray();
        covariance = new double[mean.length][mean.length];
        drift = new double[mean.length][mean.length];
        for (int i = 1; i < mean.length; i++) {
            for (int j = 1; j < mean.length; j++) {
                double a = trees.get(i).nodes();
                double b = trees.get(j).nodes();
                covariance[i][j] = doubt * (TOGETHER + APART * Math.min(a, b) / Math.max(a, b));
                drift[i][j] = DRIFT * covariance[i][j];
            }
        }
    }

    CostEstimate(CostEstimate before) {
        mean = before.mean.clone();
        covariance = Arrays.stream(before.covariance).map(double[]::clone).toArray(double[][]::new);
        drift = before.drift;
    }

    /** Cost of a step with a tree, in plain steps: at least 1, as it does all that a plain step does. */
    double of(int tree) {
        return Math.max(1, Math.exp(mean[tree] - mean[0]));
    }

    /** The least that a step with a tree may be expected to cost, in plain steps: {@value #OPTIMISM} standard deviations less than {@link #of}. */
    double atLeast(int tree) {
        double variance = covariance[tree][tree] - 2 * covariance[tree][0] + covariance[0][0];
        return of(tree) * Math.exp(-OPTIMISM * Math.sqrt(Math.max(0, variance)));
    }

    /**
     * Takes in what a plain step takes. Where that is less than was measured, all costs were measured in a bad moment, and tell so
     * much less; where it is more, this is the bad moment.
     */
    void observePlain(double nanos) {
        double change = Math.min(0, Math.log(nanos) - mean[0]);
        for (double[] row : covariance) {
            for (int j = 0; j < row.length; j++) {
                row[j] *= 1 + change * change / TOGETHER;
            }
        }
    }

    /** Takes in that a step with tree {@code a} took {@code ratio} times as long as one with tree {@code b} just before. */
    void compare(int a, int b, double ratio) {
        int n = mean.length;
        double[] shared = new double[n];
        for (int i = 0; i < n; i++) {
            for (int j = 0; j < n; j++) {
                covariance[i][j] += drift[i][j];
            }
            shared[i] = covariance[i][a] - covariance[i][b];
        }
        double variance = shared[a] - shared[b] + COMPARISON;
        double most = ACCIDENT * Math.sqrt(variance);
        double surprise = Math.max(-most, Math.min(most, Math.log(ratio) - mean[a] + mean[b]));
        for (int i = 0; i < n; i++) {
            mean[i] += shared[i] / variance * surprise;
            for (int j = 0; j < n; j++) {
                covariance[i][j] -= shared[i] * shared[j] / variance;
            }
        }
    }
}
