package io.hydra4j.draft;

import io.hydra4j.runtime.Buffer;
import io.hydra4j.runtime.PassRows;
import io.hydra4j.runtime.Program;
import io.hydra4j.runtime.TreeTopology;
import java.nio.IntBuffer;

/**
 * The draft of all sequences of a loop, recorded into its programs. A step leaves the hidden states of newly verified tokens, in
 * order, in {@link #uncommittedRows()} and {@link #uncommitted()}, and a pass over prompts in {@link #promptRows()}, if the draft
 * wants them; {@link #recordCommit} takes them into what it keeps from step to step. {@link #recordDraft} guesses the tokens of
 * expanded trees. Not thread-safe.
 */
public interface Draft extends AutoCloseable {
    /** The longest chain of guesses on the host that a dynamic tree of a batch takes beside candidates of heads. */
    int MAX_CHAIN = 15;

    /**
     * {@return rows of the hidden states that a step has left and {@link #recordCommit} has not taken in yet; null if the draft
     * does not look at the base's hidden states}
     */
    PassRows uncommittedRows();

    /** {@return the same of a pass over prompts} */
    PassRows promptRows();

    /**
     * {@return {@code float[rows][hidden]}: the states of either; {@link #recordCommit} may overwrite them} Null where {@link
     * #uncommittedRows} is.
     */
    Buffer uncommitted();

    /** {@return whether skipping {@link #recordCommit} for some verified tokens would leave a hole in what is kept} */
    boolean keepsState();

    /**
     * Records that hidden states are committed.
     *
     * @param program to record into
     * @param rows {@link #uncommittedRows} or {@link #promptRows}: where a pass has left them. What the others held must have been
     *     committed before, and invalidated
     */
    void recordCommit(Program program, PassRows rows);

    /**
     * As {@link #recordCommit}, where more states of the same sequences are committed before anything is drafted: a draft may leave out
     * what it needs of the last states alone.
     *
     * @param program to record into
     * @param rows as in {@link #recordCommit}
     */
    default void recordCommitBeforeOthers(Program program, PassRows rows) {
        recordCommit(program, rows);
    }

    /**
     * Records the guesses for all nodes of the trees but the roots, whose tokens stand in {@code nodes}.
     *
     * @param program to record into
     * @param tree the trees, whose shapes differ by sequence and step
     * @param nodes the nodes of all trees of a step
     */
    void recordDraft(Program program, TreeTopology tree, PassRows nodes);

    /**
     * Called before a step with trees is run, for each sequence that takes part: what is guessed on the host is guessed here, and
     * {@link #recordDraft} then has it given to the nodes. A draft that guesses in programs fills every tree.
     *
     * @param sequence number of the sequence in its batch
     * @param text the verified tokens and, last, the root; valid during the call
     * @param depth of the tree, at least 1
     * @return down to which depth there are guesses, 0 to {@code depth}: no deeper nodes need be verified
     */
    default int propose(int sequence, IntBuffer text, int depth) {
        return depth;
    }

    /** {@return whether {@link #propose(int, IntBuffer, int)} guesses by the text, which must then be known before a step is run} */
    default boolean readsText() {
        return false;
    }

    /**
     * {@return levels of candidates that {@link #recordGrowth} proposes; 0: none}
     */
    default int levels() {
        return 0;
    }

    /**
     * Records that trees that grow ({@link TreeTopology#setGrowth}) do so by {@link #levels} levels of this draft's candidates.
     *
     * @param program to record into
     * @param tree the trees
     * @param prompts the prompts that stand behind the trees, or null
     * @param nodes the nodes of all trees of a step, expanded
     */
    default void recordGrowth(Program program, TreeTopology tree, PassRows prompts, PassRows nodes) {}

    /**
     * Called before a step with a tree that grows is run, for each sequence that takes part: guesses on the host how its text goes on.
     *
     * @param sequence number of the sequence in its batch
     * @param text the verified tokens and, last, the root; valid during the call
     * @param chain gets the guesses, the root's child first: tokens of the model's vocabulary
     * @param chances gets for each how likely it is right where the one before it is: between 0 and 1
     * @param depth the most guesses that are wanted
     * @return how many there are, 0 to {@code depth}
     */
    default int propose(int sequence, IntBuffer text, int[] chain, float[] chances, int depth) {
        return 0;
    }

    /** Called when the guesses of a step are made, after {@link #propose} for each sequence that takes part, and before it is run. */
    default void proposed() {}

    /**
     * Called when a sequence goes back to a length; other tokens than before may follow.
     *
     * @param sequence number of the sequence in its batch
     * @param length verified positions that are left
     */
    default void rewound(int sequence, int length) {}

    @Override
    void close();
}
