package io.hydra4j;

import io.hydra4j.runtime.Resources;
import java.util.Collections;
import java.util.Set;
import java.util.WeakHashMap;

/**
 * Counts the sessions of a model, and frees the model when it has been closed and the last of them has ended. Thread-safe; nothing
 * is computed or freed while its monitor is held.
 */
final class ModelUses {
    private final Runnable free;
    // Weak, so that streams that nobody closes are found; streams are equal to themselves alone.
    private final Set<AutoCloseable> streams = Collections.newSetFromMap(new WeakHashMap<>());
    private int uses;
    private boolean closed;

    /** @param free frees the model; called once */
    ModelUses(Runnable free) {
        this.free = free;
    }

    /** @throws IllegalStateException if the model is closed */
    synchronized void requireOpen() {
        if (closed) {
            throw new IllegalStateException("the model is closed");
        }
    }

    /**
     * A session begins; {@link #end} must follow.
     *
     * @throws IllegalStateException if the model is closed
     */
    synchronized void begin() {
        requireOpen();
        uses++;
    }

    /** A session has ended. */
    void end() {
        boolean last;
        synchronized (this) {
            last = --uses == 0 && closed;
        }
        if (last) {
            free.run();
        }
    }

    /**
     * Lets a stream be closed together with the model.
     *
     * @throws IllegalStateException if the model is closed
     */
    synchronized void add(AutoCloseable stream) {
        requireOpen();
        streams.add(stream);
    }

    /** Forgets a stream that has released its session. */
    synchronized void remove(AutoCloseable stream) {
        streams.remove(stream);
    }

    /** Closes all streams, also where closing some fails, and frees the model now or when its last session ends. Idempotent. */
    void close() {
        Resources closing = new Resources();
        synchronized (this) {
            if (closed) {
                return;
            }
            closed = true;
            if (uses == 0) {
                closing.own(free::run);
            }
            streams.forEach(closing::own);
        }
        closing.close();
    }
}
