package io.hydra4j.train;

/** What a GPU multiplies. Weights, sums and all else are float32. */
public enum Products {
    /** Float32 numbers, as the CPU does. */
    FLOAT32,
    /** The nearest bf16 numbers, of eight bits: a sixth of the work, on CUDA alone. */
    BF16
}
