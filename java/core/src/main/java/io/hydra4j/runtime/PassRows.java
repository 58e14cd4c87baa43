package io.hydra4j.runtime;

import io.hydra4j.runtime.bindings.Native;
import io.hydra4j.runtime.bindings.hydra_rows;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.stream.IntStream;
import org.bytedeco.javacpp.IntPointer;

/**
 * The rows that a pass over a batch computes: tokens of prompts, or nodes of the sequences' trees. For each a token, a
 * position, a KV slot, and the set of rows of this pass that it sees.
 */
public final class PassRows extends NativeObject {
    /** Most rows of a pass. */
    public static final int MAX_ROWS = Native.HYDRA_MAX_ROWS;

    private final Handle<hydra_rows> handle;
    private final int maxRows;

    private PassRows(Handle<hydra_rows> handle, int maxRows) {
        this.handle = handle;
        this.maxRows = maxRows;
    }

    @Override
    Handle<hydra_rows> handle() {
        return handle;
    }

    /**
     * Creates no rows, and room for some.
     *
     * @param batch whose sequences the rows belong to
     * @param maxRows 1 to {@link #MAX_ROWS}
     * @return the rows, to be closed
     * @throws NativeException with status {@code INVALID_ARGUMENT} if the number is out of range
     * @throws OutOfNativeMemoryException if the system refuses the memory
     */
    public static PassRows create(Batch batch, int maxRows) {
        return new PassRows(
                Handle.create(
                        "set of rows",
                        new hydra_rows(),
                        out -> Native.hydra_rows_create(batch.handle().pointer(), maxRows, out),
                        Native::hydra_rows_destroy,
                        List.of(batch.handle())),
                maxRows);
    }

    /** @return the most rows that there can be */
    public int maxRows() {
        return maxRows;
    }

    /**
     * Makes the rows chains of tokens, one after the verified positions of each of some sequences.
     *
     * @param sequences [chains] different sequences of the batch; there may be none
     * @param counts [chains] tokens of each chain, at least 1
     * @param tokens those of all chains, one after the other
     * @param setsRoot [chains] whether the token that follows a chain is wanted and becomes the sequence's root, and not false,
     *     where more of the prompt follows first; null: of all
     * @throws IllegalArgumentException if the counts are not those of the sequences and tokens
     * @throws NativeException with status {@code INVALID_ARGUMENT} if a sequence or count is out of range, or there are more
     *     than {@link #maxRows} tokens
     */
    public void setChains(int[] sequences, int[] counts, int[] tokens, boolean[] setsRoot) {
        long all = IntStream.of(counts).asLongStream().sum();
        if (counts.length != sequences.length || all != tokens.length) {
            throw new IllegalArgumentException(sequences.length + " sequences and " + tokens.length + " tokens, but "
                    + counts.length + " counts of " + all + " tokens in all");
        }
        if (setsRoot != null && setsRoot.length != sequences.length) {
            throw new IllegalArgumentException(sequences.length + " sequences, but setsRoot has " + setsRoot.length);
        }
        int[] flags = new int[sequences.length];
        for (int i = 0; i < flags.length; i++) {
            flags[i] = setsRoot == null || setsRoot[i] ? 1 : 0;
        }
        handle.check(rows -> Native.hydra_rows_set_chains(rows, sequences, counts, sequences.length, tokens, flags));
    }

    /**
     * As {@link #setChains(int[], int[], int[], boolean[])}, all of which are followed by a root.
     *
     * @param sequences [chains] number of each chain's sequence
     * @param counts [chains] tokens of each
     * @param tokens the tokens of all chains, one after the other
     */
    public void setChains(int[] sequences, int[] counts, int[] tokens) {
        setChains(sequences, counts, tokens, null);
    }

    /**
     * Keeps the rows before a position: trees are cut to the levels before it, and chains refused.
     *
     * @param limit at least 1; operations that are recorded may lower it further
     * @throws NativeException with status {@code INVALID_ARGUMENT} if it is not positive
     */
    public void limit(int limit) {
        handle.check(rows -> Native.hydra_rows_limit(rows, limit));
    }

    /**
     * Makes the rows one chain of these tokens; as {@link #setChain(int, int[], int, int)}.
     *
     * @param sequence number of the sequence in its batch
     * @param tokens the tokens
     */
    public void setChain(int sequence, int[] tokens) {
        setChain(sequence, tokens, 0, tokens.length);
    }

    /**
     * Makes the rows one chain of tokens after the verified positions of a sequence.
     *
     * @param sequence number of the sequence in its batch
     * @param tokens the tokens
     * @param from first token of the chain
     * @param count tokens of the chain, 1 to {@link #maxRows}
     * @throws IndexOutOfBoundsException if [from, from + count) does not lie in the tokens
     * @throws NativeException with status {@code INVALID_ARGUMENT} if the sequence or the count is out of range
     */
    public void setChain(int sequence, int[] tokens, int from, int count) {
        Objects.checkFromIndexSize(from, count, tokens.length);
        setChains(new int[] {sequence}, new int[] {count}, Arrays.copyOfRange(tokens, from, from + count));
    }

    /**
     * @return the number of rows
     * @throws NativeException if the device fails
     */
    public int count() {
        return handle.get(PassRows::count);
    }

    /**
     * @return [count] a copy of the rows' tokens
     * @throws NativeException if the device fails
     */
    public int[] tokens() {
        return handle.get(rows -> {
            int[] tokens = new int[count(rows)];
            IntPointer all = Native.hydra_rows_tokens(rows);
            if (all == null) {
                throw NativeException.of(Native.HYDRA_INTERNAL, Native.hydra_error_message());
            }
            all.get(tokens);
            return tokens;
        });
    }

    private static int count(hydra_rows rows) {
        int count = Native.hydra_rows_count(rows);
        if (count < 0) {
            throw NativeException.of(Native.HYDRA_INTERNAL, Native.hydra_error_message());
        }
        return count;
    }
}
