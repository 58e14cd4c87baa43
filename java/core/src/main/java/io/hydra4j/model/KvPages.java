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

    /** Adds a pool whose pages are released together with those of the others. */
    public synchronized void add(KvPool pool) {
        pools.add(pool);
    }

    /** Forgets a pool that is about to be closed. */
    public synchronized void remove(KvPool pool) {
        pools.remove(pool);
    }

    /** The pages of one session, none at first. */
    public Lease lease() {
        return new Lease();
    }

    /**
     * Pages that one session has taken, and releases at the latest when it is closed; the model and its pools may have been closed
     * before. Thread-safe.
     */
    public final class Lease implements AutoCloseable {
        private final BitSet taken = new BitSet();
        private int running;
        private boolean closed;

        private Lease() {}

        /**
         * Runs a pass over the pages. Where another thread closes the lease meanwhile, they are released when the pass has ended, so
         * that nobody takes pages that are being written.
         *
         * @throws IllegalStateException if the lease is closed
         */
        public void run(Runnable pass) {
            begin();
            try {
                pass.run();
            } finally {
                end();
            }
        }

        /**
         * The begin of a pass over the pages that ends with {@link #end}; as {@link #run}.
         *
         * @throws IllegalStateException if the lease is closed
         */
        public void begin() {
            synchronized (KvPages.this) {
                requireOpen();
                running++;
            }
        }

        /** The end of a pass. */
        public void end() {
            synchronized (KvPages.this) {
                running--;
                releaseIfDone();
            }
        }

        private void requireOpen() {
            if (closed) {
                throw new IllegalStateException("the session is closed");
            }
        }

        private void releaseIfDone() {
            if (closed && running == 0) {
                release(taken.stream().toArray());
            }
        }

        /**
         * Takes pages that nobody uses: all of them, or none. Their memory is not touched.
         *
         * @return {@code [count]} page numbers
         * @throws KvPagesExhaustedException if there are not so many
         * @throws IllegalStateException if the lease is closed
         */
        public int[] take(int count) {
            synchronized (KvPages.this) {
                requireOpen();
                int free = pages - used.cardinality();
                if (count > free) {
                    throw new KvPagesExhaustedException(count + " more KV pages of " + KvPool.PAGE_POSITIONS
                            + " positions are needed, " + free + " of "
                            + pages + " are free: close sessions, clear sequences, decode fewer at a time, or open the"
                            + " model with room for more (kvTokens)");
                }
                int[] numbers = new int[count];
                for (int i = 0, page = -1; i < count; i++) {
                    page = used.nextClearBit(page + 1);
                    numbers[i] = page;
                    used.set(page);
                    taken.set(page);
                }
                return numbers;
            }
        }

        /**
         * Releases pages, and their memory to the system.
         *
         * @param numbers of pages that this has taken, in use no more
         * @throws IllegalArgumentException if this has not taken one of them
         */
        public void release(int[] numbers) {
            synchronized (KvPages.this) {
                for (int page : numbers) {
                    if (!taken.get(page)) {
                        throw new IllegalArgumentException("KV page " + page + " was not taken by this session");
                    }
                    for (KvPool pool : pools) {
                        pool.release(page);
                    }
                    taken.clear(page);
                    used.clear(page);
                }
            }
        }

        /** Releases all pages, now or as the last pass over them ends. Idempotent. */
        @Override
        public void close() {
            synchronized (KvPages.this) {
                closed = true;
                releaseIfDone();
            }
        }
    }
}
