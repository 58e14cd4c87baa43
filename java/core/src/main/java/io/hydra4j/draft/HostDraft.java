package io.hydra4j.draft;

import io.hydra4j.runtime.Buffer;
import io.hydra4j.runtime.PassRows;
import io.hydra4j.runtime.Program;
import io.hydra4j.runtime.TreeTopology;
import java.nio.IntBuffer;
import java.util.Objects;

/**
 * A draft that is made on the host, from the text alone: a chain of tokens for each sequence. It looks at no hidden states and keeps
 * nothing on the device but the guesses of the present step.
 */
public abstract class HostDraft implements Draft {
    private final Buffer guesses;
    /** {@code [sequences][nodes]}, which {@code guesses} gets. */
    private final int[] tokens;

    private final int[] chain = new int[TreeTopology.MAX_NODES - 1];
    private boolean changed;

    /**
     * @param loop the loop that asks for it
     * @throws io.hydra4j.HydraException if memory is short
     */
    protected HostDraft(Drafter.Loop loop) {
        Objects.requireNonNull(loop, "loop is null: give that of Drafter.open");
        tokens = new int[loop.batch().sequences() * TreeTopology.MAX_NODES];
        guesses = Buffer.ints(loop.model().backend(), tokens.length);
    }

    /**
     * Guesses how a text goes on.
     *
     * @param sequence number of the sequence in its batch
     * @param text the verified tokens and, last, the root; valid during the call
     * @param chain gets the guesses, the root's child first; those that are returned must be tokens of the model's vocabulary
     * @param depth the most guesses that are wanted
     * @return how many there are, 0 to {@code depth}
     */
    protected abstract int guess(int sequence, IntBuffer text, int[] chain, int depth);

    /**
     * Says how likely the guesses that {@link #guess} has just made are right, for dynamic trees.
     *
     * @param sequence number of the sequence in its batch
     * @param chances gets for each guess how likely it is right where the one before it is: between 0 and 1
     * @param count of guesses
     * @throws UnsupportedOperationException unless it is overridden, as it must be where {@link Drafter#grows}
     */
    protected void chances(int sequence, float[] chances, int count) {
        throw new UnsupportedOperationException("this draft does not know how likely its guesses are");
    }

    @Override
    public final int propose(int sequence, IntBuffer text, int[] chain, float[] chances, int depth) {
        int count = guess(sequence, text, chain, depth);
        chances(sequence, chances, count);
        return count;
    }

    @Override
    public final boolean readsText() {
        return true;
    }

    @Override
    public final int propose(int sequence, IntBuffer text, int depth) {
        int count = guess(sequence, text, chain, depth);
        System.arraycopy(chain, 0, tokens, sequence * TreeTopology.MAX_NODES + 1, count);
        changed |= count > 0;
        return count;
    }

    /** One copy to the device serves all sequences of a step. */
    @Override
    public final void proposed() {
        if (changed) {
            guesses.write(0, tokens);
            changed = false;
        }
    }

    @Override
    public final void recordDraft(Program program, TreeTopology tree, PassRows nodes) {
        program.setTokens(guesses, nodes);
    }

    /** Nothing is added to the chains; but where all trees have more nodes than their budget, the best are kept. */
    @Override
    public final void recordGrowth(Program program, TreeTopology tree, PassRows prompts, PassRows nodes) {
        program.grow(tree, 0, null, -1, prompts, nodes);
    }

    @Override
    public final void recordCommit(Program program, PassRows rows) {}

    @Override
    public final PassRows uncommittedRows() {
        return null;
    }

    @Override
    public final PassRows promptRows() {
        return null;
    }

    @Override
    public final Buffer uncommitted() {
        return null;
    }

    @Override
    public final boolean keepsState() {
        return false;
    }

    @Override
    public void close() {
        guesses.close();
    }
}
