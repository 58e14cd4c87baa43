package io.hydra4j.benchmarks;

/** What guesses in a variant to measure. */
enum Method {
    /** Nothing: one token a step. */
    PLAIN,
    MEDUSA,
    HYDRA,
    HYDRA_PLUS_PLUS
}
