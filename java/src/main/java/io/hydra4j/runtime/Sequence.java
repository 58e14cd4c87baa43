package io.hydra4j.runtime;

import io.hydra4j.runtime.bindings.Native;
import io.hydra4j.runtime.bindings.hydra_sequence;
import java.nio.IntBuffer;
import java.util.List;
import java.util.Objects;
import org.bytedeco.javacpp.Pointer;

/**
 * One sequence of tokens: its verified positions, its page table, and what the last step left behind. The result is read
 * from memory that the backend writes at the end of a run, without a native call; do not read it while a program runs.
 */
public final class Sequence implements AutoCloseable {
    private static final int LENGTH = 0;
    private static final int ROOT = 1;
    private static final int NODES = 2;
    private static final int EMITTED = 3;
    private static final int TOKENS = 4;
    private static final int PATH = TOKENS + Rows.MAX_ROWS;
    private static final int RESULT = PATH + Rows.MAX_ROWS;

    private final Handle<hydra_sequence> handle;
    private final IntBuffer result;

    private Sequence(Handle<hydra_sequence> handle) {
        this.handle = handle;
        this.result = handle.get(pointer -> {
            Pointer address = Native.hydra_sequence_result(pointer);
            return new Memory(address.address(), RESULT * (long) Integer.BYTES)
                    .asByteBuffer()
                    .asIntBuffer()
                    .asReadOnlyBuffer();
        });
    }

    /**
     * Creates an empty sequence.
     *
     * @param maxPages most pages of its page table
     * @throws NativeException with status {@code INVALID_ARGUMENT} if there are none
     */
    public static Sequence create(Backend backend, int maxPages) {
        return new Sequence(Handle.create(
                "sequence of " + maxPages + " pages",
                new hydra_sequence(),
                out -> Native.hydra_sequence_create(backend.handle().pointer(), maxPages, out),
                Native::hydra_sequence_destroy,
                List.of(backend.handle())));
    }

    /**
     * Sets the page table: position p lives in page {@code pages[p / KvPool.PAGE_POSITIONS]} of every pool that is used with
     * this sequence.
     *
     * @param pages at least {@code count} page numbers
     * @throws NativeException with status {@code INVALID_ARGUMENT} if there are too many
     */
    public void setPages(int[] pages, int count) {
        Objects.checkFromIndexSize(0, count, pages.length);
        handle.check(sequence -> Native.hydra_sequence_set_pages(sequence, pages, count));
    }

    /** Sets the page table to these pages; as {@link #setPages(int[], int)}. */
    public void setPages(int[] pages) {
        setPages(pages, pages.length);
    }

    /**
     * Goes back to fewer verified positions; rows that a drafter has still to see become none.
     *
     * @param length verified positions that stay, 0 to {@link #length()}
     * @param root the token that follows them, or -1 if none is known
     * @throws NativeException with status {@code INVALID_ARGUMENT} if the length is out of range
     */
    public void rewind(int length, int root) {
        handle.check(sequence -> Native.hydra_sequence_rewind(sequence, length, root));
    }

    /** @return verified positions, all of them in the KV cache */
    public int length() {
        return field(LENGTH);
    }

    /** @return the base model's next token, its arg-max at the last verified position; -1 before the prefill has ended */
    public int root() {
        return field(ROOT);
    }

    /** @return tree nodes, or prompt tokens, that the last pass computed */
    public int nodes() {
        return field(NODES);
    }

    /** @return tokens that the last step emitted, the root included; 0 after a prefill */
    public int emitted() {
        return field(EMITTED);
    }

    /**
     * A token that the last step emitted.
     *
     * @param i 0 to {@link #emitted()} - 1
     * @throws IndexOutOfBoundsException if there is no such token
     */
    public int token(int i) {
        return field(TOKENS + Objects.checkIndex(i, emitted()));
    }

    /**
     * The tree node that a token of the last step came from; that of token 0 is 0, the root.
     *
     * @param i 0 to {@link #emitted()} - 1
     * @throws IndexOutOfBoundsException if there is no such token
     */
    public int pathNode(int i) {
        return field(PATH + Objects.checkIndex(i, emitted()));
    }

    private int field(int index) {
        handle.requireOpen();
        return result.get(index);
    }

    @Override
    public void close() {
        handle.close();
    }

    Handle<hydra_sequence> handle() {
        return handle;
    }
}
