package io.hydra4j.runtime;

import java.util.concurrent.atomic.AtomicInteger;

/**
 * Counts the users of something that can be closed at any time, and destroys it once: when it has been closed and its last
 * user is gone. Thread-safe and without locks, so that putting something in use for a read costs a few nanoseconds and no
 * thread waits for another.
 */
final class UseCount {
    /** The sign bit of the state; the other bits count the users. */
    private static final int CLOSED = Integer.MIN_VALUE;

    private final AtomicInteger state = new AtomicInteger();
    private final String what;
    private final Runnable destroy;

    /**
     * @param what names it in messages, such as "buffer of 64 bytes"
     * @param destroy called once, by the thread that closes it or that releases it last
     */
    UseCount(String what, Runnable destroy) {
        this.what = what;
        this.destroy = destroy;
    }

    String what() {
        return what;
    }

    /**
     * Puts it in use until {@link #release()}.
     *
     * @throws IllegalStateException if it is closed
     */
    void acquire() {
        if (!tryAcquire()) {
            throw new IllegalStateException("the " + what + " is closed");
        }
    }

    /** As {@link #acquire}, where false says that it is closed. */
    boolean tryAcquire() {
        int before;
        do {
            before = state.get();
            if (before < 0) {
                return false;
            }
        } while (!state.compareAndSet(before, before + 1));
        return true;
    }

    /** @throws IllegalStateException if it has been released as often as it was acquired */
    void release() {
        int before;
        do {
            before = state.get();
            if ((before & ~CLOSED) == 0) {
                throw new IllegalStateException("the " + what + " was released more often than it was put in use");
            }
        } while (!state.compareAndSet(before, before - 1));
        if (before - 1 == CLOSED) {
            destroy.run();
        }
    }

    boolean isClosed() {
        return state.get() < 0;
    }

    /** @return whether this call has closed it, and no earlier one */
    boolean close() {
        int before = state.getAndUpdate(now -> now | CLOSED);
        if (before == 0) {
            destroy.run();
        }
        return before >= 0;
    }
}
