package io.hydra4j.train.device;

/**
 * Causal attention within each text.
 *
 * @param q {@code [rows][heads][headSize]}
 * @param k {@code [rows][kvHeads][headSize]}
 * @param v {@code [rows][kvHeads][headSize]}
 * @param y {@code [rows][heads][headSize]}: set by forward, kept for backward
 * @param logSum {@code [rows][heads]}: set by forward, kept for backward
 */
public record AttentionPass(
        Texts texts,
        long heads,
        long kvHeads,
        long headSize,
        TrainBuffer q,
        TrainBuffer k,
        TrainBuffer v,
        TrainBuffer y,
        TrainBuffer logSum) {
    /**
     * Gradients, of the shapes of what they belong to.
     *
     * @param y of the result; the others are set
     */
    public record Gradients(TrainBuffer y, TrainBuffer q, TrainBuffer k, TrainBuffer v) {}
}
