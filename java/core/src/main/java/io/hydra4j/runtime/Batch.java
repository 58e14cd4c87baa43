package io.hydra4j.runtime;

import io.hydra4j.runtime.bindings.Native;
import io.hydra4j.runtime.bindings.hydra_batch;
import java.nio.IntBuffer;
import java.util.List;
import java.util.Objects;
import java.util.stream.IntStream;
import org.bytedeco.javacpp.Pointer;

/**
 * Sequences of tokens that programs compute side by side, numbered from 0: for each its verified positions, its page table,
 * and what the last step left behind. A sequence's results do not depend on the others, to the bit. Results are read from
 * memory that the backend writes at the end of a run, without a native call; do not read them while a program runs.
 */
public final class Batch extends NativeObject {
    /** Most sequences of a batch. */
    public static final int MAX_SEQUENCES = Native.HYDRA_MAX_SEQUENCES;

    private static final int LENGTH = 0;
    private static final int ROOT = 1;
    private static final int NODES = 2;
    private static final int EMITTED = 3;
    private static final int TOKENS = 4;
    private static final int PATH = TOKENS + TreeTopology.MAX_NODES;
    private static final int RESULT = PATH + TreeTopology.MAX_NODES;

    private final Handle<hydra_batch> handle;
    private final List<IntBuffer> results;

    private Batch(Handle<hydra_batch> handle, int sequences) {
        this.handle = handle;
        this.results = IntStream.range(0, sequences).mapToObj(this::resultOf).toList();
    }

    @Override
    Handle<hydra_batch> handle() {
        return handle;
    }

    private IntBuffer resultOf(int sequence) {
        return handle.get(batch -> {
            Pointer address = Native.hydra_batch_result(batch, sequence);
            return new Memory(address.address(), RESULT * (long) Integer.BYTES)
                    .asByteBuffer()
                    .asIntBuffer()
                    .asReadOnlyBuffer();
        });
    }

    /**
     * Creates empty sequences.
     *
     * @param backend on which they are decoded
     * @param sequences 1 to {@link #MAX_SEQUENCES}
     * @param maxPages most pages of one sequence's page table
     * @return the sequences, to be closed
     * @throws NativeException with status {@code INVALID_ARGUMENT} if a number is out of range
     */
    public static Batch create(Backend backend, int sequences, int maxPages) {
        return new Batch(
                Handle.create(
                        "batch of " + sequences + " sequences",
                        new hydra_batch(),
                        out -> Native.hydra_batch_create(backend.handle().pointer(), sequences, maxPages, out),
                        Native::hydra_batch_destroy,
                        List.of(backend.handle())),
                sequences);
    }

    /** @return the number of sequences */
    public int sequences() {
        return results.size();
    }

    /**
     * Sets a sequence's page table: position p lives in page {@code pages[p / KvPool.PAGE_POSITIONS]} of every pool that is
     * used with this batch. Where the table gets shorter, all rows of the batch are invalidated.
     *
     * @param sequence 0 to {@link #sequences} - 1
     * @param pages at least {@code count} page numbers
     * @param count how many of them the table has
     * @throws NativeException with status {@code INVALID_ARGUMENT} if there are too many, or there is no such sequence
     */
    public void setPages(int sequence, int[] pages, int count) {
        Objects.checkFromIndexSize(0, count, pages.length);
        handle.check(batch -> Native.hydra_batch_set_pages(batch, sequence, pages, count));
    }

    /**
     * Sets the page table to these pages; as {@link #setPages(int, int[], int)}.
     *
     * @param sequence 0 to {@link #sequences} - 1
     * @param pages page numbers; all of them are the table
     */
    public void setPages(int sequence, int[] pages) {
        setPages(sequence, pages, pages.length);
    }

    /**
     * Takes a sequence back to fewer verified positions, or as many. All rows of the batch are invalidated, also those of
     * other sequences, and uncommitted ones.
     *
     * @param sequence 0 to {@link #sequences} - 1
     * @param length verified positions that stay, 0 to {@link #length}
     * @param root the token that follows them, or -1 if none is known: then the sequence takes no part in steps
     * @throws NativeException with status {@code INVALID_ARGUMENT} if the length is out of range, or there is no such sequence
     */
    public void rewind(int sequence, int length, int root) {
        handle.check(batch -> Native.hydra_batch_rewind(batch, sequence, length, root));
    }

    /**
     * Sets the token that follows a sequence's verified positions; nothing else changes.
     *
     * @param sequence 0 to {@link #sequences} - 1
     * @param root -1 for none: then the sequence takes no part in steps
     * @throws NativeException with status {@code INVALID_ARGUMENT} if there is no such sequence
     */
    public void setRoot(int sequence, int root) {
        handle.check(batch -> Native.hydra_batch_set_root(batch, sequence, root));
    }

    /**
     * @param sequence 0 to {@link #sequences} - 1
     * @return verified positions of a sequence, all of them in the KV cache
     */
    public int length(int sequence) {
        return field(sequence, LENGTH);
    }

    /**
     * @param sequence 0 to {@link #sequences} - 1
     * @return the base model's next token of a sequence, its arg-max at the last verified position; -1 before the prefill has
     *     ended
     */
    public int root(int sequence) {
        return field(sequence, ROOT);
    }

    /**
     * @param sequence 0 to {@link #sequences} - 1
     * @return tree nodes, or prompt tokens, that the last pass computed of a sequence
     */
    public int nodes(int sequence) {
        return field(sequence, NODES);
    }

    /**
     * @param sequence 0 to {@link #sequences} - 1
     * @return tokens of a sequence that the last step emitted, the root included; 0 after a prefill
     */
    public int emitted(int sequence) {
        return field(sequence, EMITTED);
    }

    /**
     * {@return a token of a sequence that the last step emitted}
     *
     * @param sequence 0 to {@link #sequences} - 1
     * @param i 0 to {@link #emitted} - 1
     * @throws IndexOutOfBoundsException if there is no such token
     */
    public int token(int sequence, int i) {
        return field(sequence, TOKENS + Objects.checkIndex(i, emitted(sequence)));
    }

    /**
     * {@return the tree node that a token of the last step came from; that of token 0 is 0, the root}
     *
     * @param sequence 0 to {@link #sequences} - 1
     * @param i 0 to {@link #emitted} - 1
     * @throws IndexOutOfBoundsException if there is no such token
     */
    public int pathNode(int sequence, int i) {
        return field(sequence, PATH + Objects.checkIndex(i, emitted(sequence)));
    }

    /** @throws IndexOutOfBoundsException if there is no such sequence */
    private int field(int sequence, int index) {
        handle.acquire();
        try {
            return results.get(sequence).get(index);
        } finally {
            handle.release();
        }
    }
}
