package io.hydra4j.runtime;

/** What a {@link Backend} computes with. */
public enum BackendKind {
    /** CUDA where it can be used, else the CPU. */
    AUTO,
    /** The processor, with a team of threads. */
    CPU,
    /** An NVIDIA GPU of compute capability 8.0 or higher. */
    CUDA
}
