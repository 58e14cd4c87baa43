package io.hydra4j.decode;

import io.hydra4j.model.KvPages;
import io.hydra4j.runtime.Batch;
import io.hydra4j.runtime.KvPool;
import java.nio.IntBuffer;
import java.util.Arrays;

/** What the host keeps of one sequence of a batch: its pages and its tokens. Not thread-safe. */
final class Sequence {
    private final KvPages.Lease lease;
    private final Batch batch;
    private final int number;
    private int[] pages = {};
    private int[] tokens = new int[256];

    Sequence(KvPages.Lease lease, Batch batch, int number) {
        this.lease = lease;
        this.batch = batch;
        this.number = number;
    }

    /** Pages that it needs beside its own for so many positions. */
    int missingPages(int positions) {
        int needed = (positions + KvPool.PAGE_POSITIONS - 1) / KvPool.PAGE_POSITIONS;
        return Math.max(0, needed - pages.length);
    }

    /** Adds pages that were taken for it: {@code count} of them, from {@code from} on. */
    void addPages(int[] taken, int from, int count) {
        if (count > 0) {
            int have = pages.length;
            pages = Arrays.copyOf(pages, have + count);
            System.arraycopy(taken, from, pages, have, count);
            batch.setPages(number, pages);
        }
    }

    /** Takes pages for so many positions, all that are missing or none. */
    void reserve(int positions) {
        int missing = missingPages(positions);
        addPages(lease.take(missing), 0, missing);
    }

    /** Notes the tokens of positions from {@code at} on. */
    void append(int[] ids, int from, int count, int at) {
        if (at + count > tokens.length) {
            tokens = Arrays.copyOf(tokens, Math.max(at + count, tokens.length * 2));
        }
        System.arraycopy(ids, from, tokens, at, count);
    }

    /** Reads and notes what the last step emitted. */
    Step step() {
        int[] ids = new int[batch.emitted(number)];
        int[] path = new int[ids.length];
        for (int i = 0; i < ids.length; i++) {
            ids[i] = batch.token(number, i);
            path[i] = batch.pathNode(number, i);
        }
        append(ids, 0, ids.length, batch.length(number) - ids.length);
        return new Step(ids, path, batch.nodes(number));
    }

    /** The tokens of all verified positions and then the root; valid until the next change. */
    IntBuffer text() {
        int length = batch.length(number);
        append(new int[] {batch.root(number)}, 0, 1, length);
        return IntBuffer.wrap(tokens, 0, length + 1).asReadOnlyBuffer();
    }

    /** The tokens of all verified positions. A copy. */
    int[] tokens() {
        return Arrays.copyOf(tokens, batch.length(number));
    }

    /** Makes it empty. */
    void clear() {
        batch.rewind(number, 0, -1);
        batch.setPages(number, new int[0]);
        release();
    }

    /** Releases its pages; the batch must not use them any more. */
    void release() {
        lease.release(pages);
        pages = new int[0];
    }
}
