/**
 * What decoding costs and what speculation gains, measured: JMH classes with one question each, and a comparison that runs
 * all methods in turn within one process. {@link io.hydra4j.benchmarks.Main} runs either and writes JSON.
 */
package io.hydra4j.benchmarks;
