package io.hydra4j.decode;

import java.util.Arrays;
import java.util.Objects;
import java.util.function.IntUnaryOperator;

/**
 * What one step of a batch computes. Its rows are the nodes of all trees, by sequence, and then the tokens of prompts. A token is
 * selected at every node and after the last token of each prompt's portion.
 *
 * @param trees [size] of each sequence; null where it has none in this step
 * @param counts [size] nodes of each sequence's tree: of a dynamic one the most, until the step has run
 * @param nodes of all trees
 * @param drafting how the trees get their tokens
 * @param prompts what is taken in beside the trees
 */
record BatchStep(Tree[] trees, int[] counts, int nodes, Drafting drafting, PromptQueue.Portion prompts) {
    /** This step, as its pass was. */
    BatchStep ran(IntUnaryOperator nodesOf) {
        if (!isGrown()) {
            return this;
        }
        int[] now = new int[counts.length];
        for (int s = 0; s < now.length; s++) {
            now[s] = trees[s] == null ? 0 : nodesOf.applyAsInt(s);
        }
        return new BatchStep(trees, now, Arrays.stream(now).sum(), drafting, prompts);
    }

    /** Whether any tree has more than its root, or was drafted to see that it has not. */
    boolean guesses() {
        return drafting != Drafting.NONE || Arrays.stream(counts).anyMatch(count -> count > 1);
    }

    /** Whether trees have as many nodes as the step makes them. */
    boolean isGrown() {
        return Arrays.stream(trees).anyMatch(tree -> tree != null && tree.isDynamic());
    }

    boolean takesIn() {
        return prompts.tokens().length > 0;
    }

    /** Whether there is nothing to compute: all sequences that might take part are full. */
    boolean isEmpty() {
        return nodes == 0 && !takesIn();
    }

    /** Tokens that are selected. */
    int selections() {
        return nodes + prompts.sequences().length;
    }

    /** {@code [size]}: the row of each tree's root; -1 where a sequence has none. */
    int[] roots() {
        int[] roots = new int[trees.length];
        int row = 0;
        for (int s = 0; s < trees.length; s++) {
            roots[s] = trees[s] == null ? -1 : row;
            row += counts[s];
        }
        return roots;
    }

    /** {@code [size]}: the first of each sequence's selections; -1 where there is none, or more of its prompt follows. */
    int[] firstSelections() {
        int[] first = roots();
        for (int i = 0; i < prompts.sequences().length; i++) {
            first[prompts.sequences()[i]] = prompts.ends()[i] ? nodes + i : -1;
        }
        return first;
    }

    /** Selections of a sequence that has any. */
    int selections(int sequence) {
        return trees[sequence] == null ? 1 : counts[sequence];
    }

    /** {@code [size][nodes]}: the tokens of each sequence's tree among those of all rows; null where it has none. */
    int[][] ofTrees(int[] tokens) {
        return split(tokens, roots());
    }

    /** {@code [size][selections]}: the selected tokens of each sequence; null where it has none. */
    int[][] split(int[] selected) {
        return split(selected, firstSelections());
    }

    private int[][] split(int[] all, int[] first) {
        int[][] parts = new int[trees.length][];
        for (int s = 0; s < parts.length; s++) {
            parts[s] = first[s] < 0 ? null : Arrays.copyOfRange(all, first[s], first[s] + selections(s));
        }
        return parts;
    }

    /**
     * What {@link #split} splits.
     *
     * @param limits of the tokens
     * @throws IllegalArgumentException if these are not the selected tokens of each sequence, or one is outside the vocabulary
     */
    int[] joined(int[][] parts, SessionLimits limits) {
        Objects.requireNonNull(parts, "selected is null: give the tokens of each sequence");
        if (parts.length != trees.length) {
            throw new IllegalArgumentException(
                    "selected tokens of " + parts.length + " sequences for a batch of " + trees.length);
        }
        int[] selected = new int[selections()];
        int[] first = firstSelections();
        for (int s = 0; s < parts.length; s++) {
            int expected = first[s] < 0 ? 0 : selections(s);
            int given = parts[s] == null ? 0 : parts[s].length;
            if (given != expected) {
                throw new IllegalArgumentException(given + " selected tokens for sequence " + s + ", at whose nodes "
                        + expected + " were selected");
            }
            if (expected > 0) {
                limits.require(parts[s]);
                System.arraycopy(parts[s], 0, selected, first[s], expected);
            }
        }
        return selected;
    }
}
