package io.hydra4j.runtime;

import io.hydra4j.runtime.bindings.Native;
import io.hydra4j.runtime.bindings.hydra_kv_pool;
import java.util.List;

/**
 * Paged keys and values in 32-bit floats, for all layers of a model. On the CPU address space is reserved for all pages, and
 * memory is taken as pages are used; on CUDA the memory of all pages is taken at once.
 */
public final class KvPool implements AutoCloseable {
    /** Positions of a page. */
    public static final int PAGE_POSITIONS = Native.HYDRA_PAGE_POSITIONS;

    private final Handle<hydra_kv_pool> handle;
    private final int pages;

    private KvPool(Handle<hydra_kv_pool> handle, int pages) {
        this.handle = handle;
        this.pages = pages;
    }

    /**
     * Creates a pool.
     *
     * @param headSize values of a head, a multiple of 8
     * @throws NativeException with status {@code INVALID_ARGUMENT} if an argument is out of range
     * @throws OutOfNativeMemoryException if the system refuses the address space
     */
    public static KvPool create(Backend backend, int layers, int kvHeads, int headSize, int pages) {
        return new KvPool(
                Handle.create(
                        "KV pool of " + pages + " pages",
                        new hydra_kv_pool(),
                        out -> Native.hydra_kv_pool_create(
                                backend.handle().pointer(), layers, kvHeads, headSize, pages, out),
                        Native::hydra_kv_pool_destroy,
                        List.of(backend.handle())),
                pages);
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
     * Says that a page is not used any more; its contents are lost. The CPU gives its memory back to the system.
     *
     * @param page one that no sequence uses any more
     * @throws NativeException with status {@code INVALID_ARGUMENT} if there is no such page
     */
    public void release(int page) {
        handle.check(pool -> Native.hydra_kv_pool_release(pool, page));
    }

    @Override
    public void close() {
        handle.close();
    }

    Handle<hydra_kv_pool> handle() {
        return handle;
    }
}
