package io.hydra4j.train;

/** What linear layers, blocks and LM heads multiply. Weights, sums and all else are float32. */
public enum Products {
    /** Float32 numbers. */
    FLOAT32,
    /**
     * The nearest bf16 numbers, of eight bits: a sixth of the work on CUDA, and faster on a CPU that has Intel's AMX. Other CPUs compute the
     * same, but AVX-512 BF16 of Intel and what has neither about half as fast as float32.
     */
    BF16
}
