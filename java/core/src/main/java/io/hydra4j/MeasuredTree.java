package io.hydra4j;

import java.util.List;

/** What a tree was seen to do while one was tuned. Immutable; two are equal if their values are. */
public final class MeasuredTree {
    private final int nodes;
    private final int depth;
    private final double acceptanceLength;
    private final double tuningAcceptanceLength;
    private final double stepNanos;

    MeasuredTree(int nodes, int depth, double acceptanceLength, double tuningAcceptanceLength, double stepNanos) {
        this.nodes = nodes;
        this.depth = depth;
        this.acceptanceLength = acceptanceLength;
        this.tuningAcceptanceLength = tuningAcceptanceLength;
        this.stepNanos = stepNanos;
    }

    /** {@return the number of nodes, the root included} */
    public int nodes() {
        return nodes;
    }

    /** {@return the depth of the deepest node; 0 for the root alone, which is plain decoding} */
    public int depth() {
        return depth;
    }

    /**
     * {@return the acceptance length, tokens emitted per base forward with the root included, on the half of the text that the tree
     * was not tuned on}
     */
    public double acceptanceLength() {
        return acceptanceLength;
    }

    /** {@return the acceptance length on the half of the text that the tree was tuned on: at least a little flattering} */
    public double tuningAcceptanceLength() {
        return tuningAcceptanceLength;
    }

    /** {@return the time of a step, in nanoseconds: the least that was seen, which other work on the machine does not raise} */
    public double stepNanos() {
        return stepNanos;
    }

    /** {@return {@link #acceptanceLength} ÷ {@link #stepNanos}, a second: what the native side could reach on a quiet machine} */
    public double tokensPerSecond() {
        return 1e9 * acceptanceLength / stepNanos;
    }

    private List<Object> values() {
        return List.of(nodes, depth, acceptanceLength, tuningAcceptanceLength, stepNanos);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof MeasuredTree tree && values().equals(tree.values());
    }

    @Override
    public int hashCode() {
        return values().hashCode();
    }

    @Override
    public String toString() {
        return "MeasuredTree[nodes=" + nodes + ", depth=" + depth + ", acceptanceLength=" + acceptanceLength
                + ", tuningAcceptanceLength=" + tuningAcceptanceLength + ", stepNanos=" + stepNanos + "]";
    }
}
