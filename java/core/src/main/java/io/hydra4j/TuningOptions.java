package io.hydra4j;

import io.hydra4j.decode.Tree;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalInt;
import java.util.function.DoubleConsumer;

/** How to tune a tree. Immutable; the {@code with} methods give changed copies. Two are equal if all their options are. */
public final class TuningOptions {
    /** The size that decodes fastest here, of at most {@value Tree#MAX_NODES} nodes, by about 32768 tokens in texts of 256. */
    public static final TuningOptions DEFAULT = new TuningOptions(0, Tree.MAX_NODES, 32768, 256, fraction -> {});

    /** The most tokens that the model may be asked to write. */
    public static final int MAX_TOKENS = 1 << 24;

    private final int nodes;
    private final int maxNodes;
    private final int tokens;
    private final int maxTokens;
    private final DoubleConsumer progress;

    private TuningOptions(int nodes, int maxNodes, int tokens, int maxTokens, DoubleConsumer progress) {
        this.nodes = nodes;
        this.maxNodes = maxNodes;
        this.tokens = tokens;
        this.maxTokens = maxTokens;
        this.progress = progress;
    }

    private static int require(String option, int value, int least, int most) {
        if (value < least || value > most) {
            throw new IllegalArgumentException(option + " is " + value + ": give " + least + " to " + most);
        }
        return value;
    }

    /**
     * {@return these options with a size that is fixed: the tree of so many nodes from which most is accepted, whatever it costs here}
     * It has fewer where the text gives no more.
     *
     * @param nodes the root included, 2 to {@value Tree#MAX_NODES}
     * @throws IllegalArgumentException if it is out of range
     */
    public TuningOptions withNodes(int nodes) {
        return new TuningOptions(
                require("nodes", nodes, 2, Tree.MAX_NODES), Math.max(nodes, maxNodes), tokens, maxTokens, progress);
    }

    /**
     * {@return these options with another size of the largest tree that is looked at} It is at least {@link #nodes}.
     *
     * @param maxNodes the root included, 2 to {@value Tree#MAX_NODES}
     * @throws IllegalArgumentException if it is out of range
     */
    public TuningOptions withMaxNodes(int maxNodes) {
        return new TuningOptions(
                nodes, Math.max(nodes, require("maxNodes", maxNodes, 2, Tree.MAX_NODES)), tokens, maxTokens, progress);
    }

    /**
     * {@return these options with another amount of text to measure on}
     *
     * @param tokens about how many tokens the model writes, for both halves of the text together, 1 to {@value #MAX_TOKENS}
     * @throws IllegalArgumentException if it is out of range
     */
    public TuningOptions withTokens(int tokens) {
        return new TuningOptions(nodes, maxNodes, require("tokens", tokens, 1, MAX_TOKENS), maxTokens, progress);
    }

    /**
     * {@return these options with another length of the texts that are measured} How well heads guess changes as a text goes on, so it is
     * best that of the texts that the tree is for: what {@link GenerationOptions#maxTokens} says.
     *
     * @param maxTokens most tokens after one prompt, 1 to {@value #MAX_TOKENS}
     * @throws IllegalArgumentException if it is out of range
     */
    public TuningOptions withMaxTokens(int maxTokens) {
        return new TuningOptions(nodes, maxNodes, tokens, require("maxTokens", maxTokens, 1, MAX_TOKENS), progress);
    }

    /**
     * {@return these options with another listener}
     *
     * @param progress gets the finished fraction, 0 to 1, in the tuning thread; what it throws ends the tuning
     * @throws NullPointerException if it is null
     */
    public TuningOptions withProgress(DoubleConsumer progress) {
        return new TuningOptions(
                nodes,
                maxNodes,
                tokens,
                maxTokens,
                OpenOptions.require("progress", progress, "a consumer, such as fraction -> {}"));
    }

    /** {@return the nodes of the tree, the root included; empty to choose by measurement} */
    public OptionalInt nodes() {
        return nodes == 0 ? OptionalInt.empty() : OptionalInt.of(nodes);
    }

    /** {@return the nodes of the largest tree that is looked at, the root included} */
    public int maxNodes() {
        return maxNodes;
    }

    /** {@return about how many tokens the model writes} */
    public int tokens() {
        return tokens;
    }

    /** {@return the most tokens after one prompt} */
    public int maxTokens() {
        return maxTokens;
    }

    /** {@return what gets the finished fraction, 0 to 1} */
    public DoubleConsumer progress() {
        return progress;
    }

    private List<Object> values() {
        return Arrays.asList(nodes, maxNodes, tokens, maxTokens, progress);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof TuningOptions options && values().equals(options.values());
    }

    @Override
    public int hashCode() {
        return values().hashCode();
    }

    @Override
    public String toString() {
        return "TuningOptions[nodes=" + nodes + ", maxNodes=" + maxNodes + ", tokens=" + tokens + ", maxTokens="
                + maxTokens + "]";
    }
}
