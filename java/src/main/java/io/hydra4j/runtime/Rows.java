package io.hydra4j.runtime;

import io.hydra4j.runtime.bindings.Native;
import io.hydra4j.runtime.bindings.hydra_rows;
import java.nio.IntBuffer;
import java.util.List;
import java.util.Objects;

/**
 * The rows that a pass over a sequence computes: prompt tokens of a chunk, or nodes of a tree. For each a token, a position,
 * a KV slot, and the set of rows of this pass that it sees.
 */
public final class Rows implements AutoCloseable {
    /** Most rows of a pass. */
    public static final int MAX_ROWS = Native.HYDRA_MAX_ROWS;

    private final Handle<hydra_rows> handle;

    private Rows(Handle<hydra_rows> handle) {
        this.handle = handle;
    }

    /**
     * Creates no rows.
     *
     * @throws OutOfNativeMemoryException if the system refuses the memory
     */
    public static Rows create(Sequence sequence) {
        return new Rows(Handle.create(
                "set of rows",
                new hydra_rows(),
                out -> Native.hydra_rows_create(sequence.handle().pointer(), out),
                Native::hydra_rows_destroy,
                List.of(sequence.handle())));
    }

    /** Makes the rows a chain of these tokens; as {@link #setChain(int[], int, int)}. */
    public void setChain(int[] tokens) {
        setChain(tokens, 0, tokens.length);
    }

    /**
     * Makes the rows a chain of tokens behind the verified positions of the sequence.
     *
     * @param from first token of the chain
     * @param count tokens of the chain, 1 to {@link #MAX_ROWS}
     * @throws IndexOutOfBoundsException if [from, from + count) does not lie in the tokens
     * @throws NativeException with status {@code INVALID_ARGUMENT} if the count is out of range
     */
    public void setChain(int[] tokens, int from, int count) {
        Objects.checkFromIndexSize(from, count, tokens.length);
        handle.check(rows -> Native.hydra_rows_set_chain(rows, IntBuffer.wrap(tokens, from, count), count));
    }

    /** @return the number of rows */
    public int count() {
        return handle.get(Native::hydra_rows_count);
    }

    /** @return [count] a copy of the rows' tokens */
    public int[] tokens() {
        return handle.get(rows -> {
            int[] tokens = new int[Native.hydra_rows_count(rows)];
            if (tokens.length > 0) {
                Native.hydra_rows_tokens(rows).get(tokens);
            }
            return tokens;
        });
    }

    @Override
    public void close() {
        handle.close();
    }

    Handle<hydra_rows> handle() {
        return handle;
    }
}
