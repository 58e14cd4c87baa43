package io.hydra4j.model;

import io.hydra4j.KvPagesExhaustedException;
import io.hydra4j.runtime.KvPool;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;

/**
 * Hands out the KV pages of a model to its sessions. The same page number means the same positions in every pool that is
 * added, so that one page table serves the base and a drafter's own layer. Thread-safe.
 */
public final class KvPages {
    private final int pages;
    private final BitSet used = new BitSet();
    private final List<KvPool> pools = new ArrayList<>();

    KvPages(int pages) {
        this.pages = pages;
    }

    /** Number of pages that every pool must have. */
    public int count() {
        return pages;
    }

    /** Adds a pool whose pages are given back to the system together with those of the others. */
    public synchronized void add(KvPool pool) {
        pools.add(pool);
    }

    /** Forgets a pool that is about to be closed. */
    public synchronized void remove(KvPool pool) {
        pools.remove(pool);
    }

    /**
     * Takes pages that nobody uses: all of them, or none.
     *
     * @return {@code [count]} page numbers
     * @throws KvPagesExhaustedException if there are not so many
     */
    public synchronized int[] take(int count) {
        int free = pages - used.cardinality();
        if (count > free) {
            throw new KvPagesExhaustedException(count + " more KV pages are needed, " + free + " of " + pages
                    + " are free: close sessions, clear sequences, or decode fewer at a time");
        }
        int[] taken = new int[count];
        for (int i = 0, page = -1; i < count; i++) {
            page = used.nextClearBit(page + 1);
            taken[i] = page;
            used.set(page);
        }
        return taken;
    }

    /** Gives pages back, and their memory to the system. */
    public synchronized void release(int[] taken) {
        for (int page : taken) {
            for (KvPool pool : pools) {
                pool.release(page);
            }
            used.clear(page);
        }
    }
}
