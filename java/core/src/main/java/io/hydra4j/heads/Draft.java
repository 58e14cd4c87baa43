package io.hydra4j.heads;

import io.hydra4j.runtime.Buffer;
import io.hydra4j.runtime.PassRows;
import io.hydra4j.runtime.Program;
import io.hydra4j.runtime.TopK;
import io.hydra4j.runtime.TreeTopology;

/**
 * The draft of all sequences of a loop, recorded into its programs. A step leaves the hidden states of newly verified tokens, in
 * order, in {@link #uncommittedRows()} and {@link #uncommitted()}, if the draft wants them; {@link #recordCommit} takes them into
 * what it keeps from step to step. {@link #recordPrompt} does the same for chunks of prompts at once. {@link #recordDraft} guesses
 * the tokens of expanded trees. Not thread-safe.
 */
public interface Draft extends AutoCloseable {
    /**
     * Rows of the hidden states that a step has left and {@link #recordCommit} has not taken in yet; null if the draft does not
     * look at the base's hidden states.
     */
    PassRows uncommittedRows();

    /**
     * {@code float[rows][hidden]}: those states; {@link #recordCommit} and {@link #recordPrompt} may overwrite them. Null where
     * {@link #uncommittedRows} is.
     */
    Buffer uncommitted();

    /** Whether skipping {@link #recordCommit} for some verified tokens would leave a hole in what is kept. */
    boolean keepsState();

    /**
     * Records the end of a pass over chunks of prompts, and what is committed of it. What {@link #uncommittedRows} held before
     * must have been committed and invalidated.
     *
     * @param rows the rows of the pass
     * @param best as in {@link Program#advance}
     * @param hidden {@code float[rows][hidden]} of the rows
     */
    void recordPrompt(Program program, PassRows rows, TopK best, Buffer hidden);

    /** Records that what a step has left is committed. */
    void recordCommit(Program program);

    /** Records the guesses for all nodes of the trees but the roots, whose tokens stand in {@code nodes}. */
    void recordDraft(Program program, TreeTopology tree, PassRows nodes);

    @Override
    void close();
}
