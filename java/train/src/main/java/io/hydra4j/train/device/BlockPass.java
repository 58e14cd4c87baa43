package io.hydra4j.train.device;

/**
 * A residual block over some rows: {@code a = x weight^T + bias, y = silu(a) + (x skip^T + skipBias, or x)}.
 *
 * @param x {@code [rows][inputs]}
 * @param weight {@code [outputs][inputs]}
 * @param bias {@code [outputs]}
 * @param skip {@code [outputs][inputs]}; null: x itself is added, and inputs are as many as outputs
 * @param skipBias {@code [outputs]}; null with {@code skip}
 * @param a {@code [rows][outputs]}: set by forward, kept for backward
 * @param y {@code [rows][outputs]}: set by forward
 */
public record BlockPass(
        long rows,
        long inputs,
        long outputs,
        TrainBuffer x,
        TrainBuffer weight,
        TrainBuffer bias,
        TrainBuffer skip,
        TrainBuffer skipBias,
        TrainBuffer a,
        TrainBuffer y) {
    /**
     * Gradients of a block; those that are null are not computed.
     *
     * @param y {@code [rows][outputs]}: of the result
     * @param a {@code [rows][outputs]}: memory to work in; may be the block's {@code a}
     * @param add whether the gradient of x is added to what is there
     * @param columns the first columns of x, of which the gradient is computed
     * @param x {@code [rows][columns]}: set, or added to; where it is set and there is no skip it may be {@code y}
     * @param weight as the block's, added to; and so the others
     */
    public record Gradients(
            TrainBuffer y,
            TrainBuffer a,
            boolean add,
            long columns,
            TrainBuffer x,
            TrainBuffer weight,
            TrainBuffer bias,
            TrainBuffer skip,
            TrainBuffer skipBias) {}
}
