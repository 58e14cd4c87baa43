package io.hydra4j.runtime;

import io.hydra4j.runtime.bindings.Native;
import io.hydra4j.runtime.bindings.hydra_kv_pool;
import java.util.List;

/**
 * Paged keys and values for all layers of a model, in 32-bit floats or, on CUDA, 16-bit ones. On the CPU address space is
 * reserved for all pages, and memory is taken as pages are used; on CUDA the memory of all pages is taken at once.
 */
public final class KvPool extends NativeObject {
    /** Positions of a page. */
    public static final int PAGE_POSITIONS = Native.HYDRA_PAGE_POSITIONS;

    private final Handle<hydra_kv_pool> handle;
    private final WeightType type;
    private final int pages;

    private KvPool(Handle<hydra_kv_pool> handle, WeightType type, int pages) {
        this.handle = handle;
        this.type = type;
        this.pages = pages;
    }

    @Override
    Handle<hydra_kv_pool> handle() {
        return handle;
    }

    /**
     * Creates a pool.
     *
     * @param backend in whose memory it lies
     * @param type {@link WeightType#F32}, or on CUDA {@link WeightType#F16}: then keys and values are rounded to nearest when
     *     they are stored, values saturate at 65504
     * @param layers layers of the model
     * @param kvHeads key and value heads of a layer
     * @param headSize values of a head, a multiple of 8
     * @param pages pages of {@link #PAGE_POSITIONS} positions
     * @return the pool, to be closed
     * @throws NativeException with status {@code INVALID_ARGUMENT} if an argument is out of range or the backend has not this
     *     type
     * @throws OutOfNativeMemoryException if the system refuses the address space
     */
    public static KvPool create(Backend backend, WeightType type, int layers, int kvHeads, int headSize, int pages) {
        return new KvPool(
                Handle.create(
                        "KV pool of " + pages + " pages",
                        new hydra_kv_pool(),
                        out -> Native.hydra_kv_pool_create(
                                backend.handle().pointer(), type.id(), layers, kvHeads, headSize, pages, out),
                        Native::hydra_kv_pool_destroy,
                        List.of(backend.handle())),
                type,
                pages);
    }

    /** @return the type of keys and values */
    public WeightType type() {
        return type;
    }

    /** @return the number of pages */
    public int pages() {
        return pages;
    }

    /** @return the memory that one page takes when it is used, in bytes */
    public long pageBytes() {
        return handle.get(Native::hydra_kv_pool_page_bytes);
    }

    /**
     * Says that a page is not used any more; its contents are lost. The CPU releases its memory to the system. Does nothing to a
     * closed pool, the memory of which goes as a whole.
     *
     * @param page one that no sequence uses any more
     * @throws NativeException with status {@code INVALID_ARGUMENT} if there is no such page
     */
    public void release(int page) {
        if (handle.uses().tryAcquire()) {
            try {
                NativeException.check(Native.hydra_kv_pool_release(handle.pointer(), page));
            } finally {
                handle.release();
            }
        }
    }
}
