package io.hydra4j.decode;

import io.hydra4j.HydraException;
import io.hydra4j.runtime.Batch;
import io.hydra4j.runtime.PassRows;

/**
 * How a {@link BatchSession} decodes. Immutable.
 *
 * @param size sequences, 1 to {@link Batch#MAX_SEQUENCES}
 * @param maxPositions most positions of each sequence, prompt and generated tokens together; 0 for the model's context
 * @param nodes most nodes of any tree of the session, 1 to {@link Tree#MAX_NODES}; memory is taken for {@code size} such trees,
 *     of at most {@link PassRows#MAX_ROWS} nodes in all
 * @param tree the tree of every step, {@link Tree#ROOT} for plain decoding; may be changed later
 * @param candidates most candidates of one parent that any tree of the session asks for, at least those of {@code tree}
 * @param chunk most tokens of prompts that are computed in one pass, 1 to {@link PassRows#MAX_ROWS}; 0 for what suits the backend
 * @param keepLogits whether {@link BatchSession#logits} works
 */
public record BatchOptions(
        int size, int maxPositions, int nodes, Tree tree, int candidates, int chunk, boolean keepLogits) {
    /** @throws HydraException if a number is out of its range, or there are more nodes in all than a pass can have */
    public BatchOptions {
        require("size", size, 1, Batch.MAX_SEQUENCES);
        require("nodes", nodes, 1, Tree.MAX_NODES);
        require("chunk", chunk, 0, PassRows.MAX_ROWS);
        if (size * nodes > PassRows.MAX_ROWS) {
            throw new HydraException(size + " sequences with trees of " + nodes + " nodes make " + size * nodes
                    + " rows, a pass has at most " + PassRows.MAX_ROWS + ": use trees of at most "
                    + PassRows.MAX_ROWS / size
                    + " nodes, or fewer sequences");
        }
    }

    private static void require(String name, int value, int least, int most) {
        if (value < least || value > most) {
            throw new HydraException(name + " is " + value + ", must be from " + least + " to " + most);
        }
    }

    /** Options for so many sequences and this tree, in the model's whole context, without logits. */
    public static BatchOptions of(int size, Tree tree) {
        return new BatchOptions(size, 0, tree.nodes(), tree, Math.max(10, tree.candidates()), 0, false);
    }

    /** These options with room for larger trees than the first one. */
    public BatchOptions withNodes(int most) {
        return new BatchOptions(size, maxPositions, most, tree, candidates, chunk, keepLogits);
    }

    /** These options with another size of the passes over prompts. */
    public BatchOptions withChunk(int most) {
        return new BatchOptions(size, maxPositions, nodes, tree, candidates, most, keepLogits);
    }

    /** These options with logits kept. */
    public BatchOptions withLogits() {
        return new BatchOptions(size, maxPositions, nodes, tree, candidates, chunk, true);
    }
}
