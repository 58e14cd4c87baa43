package io.hydra4j.train;

import java.util.List;

/**
 * What heads were seen to guess of what the base writes after held-out text, as the decoder computes them. Immutable.
 *
 * @param step steps of training that lie behind it
 * @param tokens tokens of training that lie behind it
 * @param accuracies {@code [heads][5]}: how often the token that follows, given those before it, is among a head's best 1, 2, ... 5
 * @param chainLength tokens a step, the root included, with a chain of each head's best guess
 * @param defaultTreeLength the same with the default tree
 * @param tunedTreeLength the same with a tree of 16 nodes that was tuned on one half of the texts, on the other half
 */
public record Evaluation(
        long step,
        long tokens,
        List<List<Double>> accuracies,
        double chainLength,
        double defaultTreeLength,
        double tunedTreeLength) {}
