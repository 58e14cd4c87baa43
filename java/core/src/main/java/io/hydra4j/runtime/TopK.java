package io.hydra4j.runtime;

import io.hydra4j.runtime.bindings.Native;
import io.hydra4j.runtime.bindings.hydra_top;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.util.List;
import java.util.Objects;

/**
 * The best entries of each row of an LM head: [rows][k] ids and values, best first, equal values by smaller index. On the
 * CPU they are read without a native call. Do not read them while a program that writes them runs.
 */
public final class TopK extends NativeObject {
    /** Most entries of a row. */
    public static final int MAX_K = Native.HYDRA_MAX_TOP;

    private final Handle<hydra_top> handle;
    private final int k;
    private final int maxRows;
    private final boolean remote;
    private final IntBuffer ids;
    private final FloatBuffer values;

    private TopK(Handle<hydra_top> handle, int k, int maxRows, boolean remote) {
        this.handle = handle;
        this.k = k;
        this.maxRows = maxRows;
        this.remote = remote;
        long bytes = (long) maxRows * k * Integer.BYTES;
        this.ids = handle.get(top -> new Memory(Native.hydra_top_ids(top).address(), bytes)
                .asByteBuffer()
                .asIntBuffer()
                .asReadOnlyBuffer());
        this.values = handle.get(top -> new Memory(Native.hydra_top_values(top).address(), bytes)
                .asByteBuffer()
                .asFloatBuffer()
                .asReadOnlyBuffer());
    }

    @Override
    Handle<hydra_top> handle() {
        return handle;
    }

    /**
     * Creates room for k entries of every row.
     *
     * @param backend on which they are computed
     * @param k 1 to {@link #MAX_K}
     * @param maxRows 1 to {@link PassRows#MAX_ROWS}
     * @return the entries, to be closed
     * @throws NativeException with status {@code INVALID_ARGUMENT} if a number is out of range
     */
    public static TopK create(Backend backend, int k, int maxRows) {
        return new TopK(
                Handle.create(
                        "top-k buffer of k " + k,
                        new hydra_top(),
                        out -> Native.hydra_top_create(backend.handle().pointer(), k, maxRows, out),
                        Native::hydra_top_destroy,
                        List.of(backend.handle())),
                k,
                maxRows,
                backend.kind() != BackendKind.CPU);
    }

    /** @return entries of a row */
    public int k() {
        return k;
    }

    /** @return the most rows that there can be */
    public int maxRows() {
        return maxRows;
    }

    /**
     * {@return the token id of an entry of the last run}
     *
     * @param row 0 to {@link #maxRows} - 1; rows that the run did not compute hold what was there before
     * @param rank 0 to k - 1, 0 being the best
     * @throws IndexOutOfBoundsException if there is no such entry
     */
    public int id(int row, int rank) {
        int index = index(row, rank);
        hydra_top top = handle.acquire();
        try {
            bring(top);
            return ids.get(index);
        } finally {
            handle.release();
        }
    }

    /**
     * {@return the logit of an entry of the last run; arguments as those of {@link #id}}
     *
     * @param row 0 to {@link #maxRows} - 1
     * @param rank 0 to k - 1, 0 being the best
     * @throws IndexOutOfBoundsException if there is no such entry
     */
    public float value(int row, int rank) {
        int index = index(row, rank);
        hydra_top top = handle.acquire();
        try {
            bring(top);
            return values.get(index);
        } finally {
            handle.release();
        }
    }

    private int index(int row, int rank) {
        return Objects.checkIndex(row, maxRows) * k + Objects.checkIndex(rank, k);
    }

    /** Has the last run's entries brought to where the buffers look, unless they are there. */
    private void bring(hydra_top top) {
        if (remote && Native.hydra_top_ids(top) == null) {
            throw NativeException.of(Native.HYDRA_INTERNAL, Native.hydra_error_message());
        }
    }
}
