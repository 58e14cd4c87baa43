package io.hydra4j.benchmarks;

import java.util.List;

/**
 * What {@link CompareDecode} compares.
 *
 * @param model the name that stands in the results
 * @param spec the model, its heads and its prompts
 * @param methods kinds of heads to measure; plain decoding is always measured beside them
 * @param trees names of trees, as {@link Trees} takes them, and {@code auto}
 * @param prompts prompts to measure
 * @param promptTokens tokens of a prompt that is cut from a text
 * @param maxTokens most tokens to generate for a prompt
 * @param temperature of the text, with {@code --compare}; 0 for greedy decoding
 * @param seconds no prompt begins after this time, once {@link CompareDecode#LEAST_PROMPTS} were measured
 */
record CompareOptions(
        String model,
        ModelSpec spec,
        List<Method> methods,
        List<String> trees,
        int prompts,
        int promptTokens,
        int maxTokens,
        float temperature,
        int seconds) {}
