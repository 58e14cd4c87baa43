package io.hydra4j.runtime;

import java.util.ArrayDeque;
import java.util.Deque;

/**
 * Owns what was opened and closes all of it in reverse order, also where closing some of it fails. Idempotent. Thread-safe.
 */
public final class Resources implements AutoCloseable {
    private final Deque<AutoCloseable> owned = new ArrayDeque<>();

    /** Closes a resource together with the others, before those that are owned already. */
    public <T extends AutoCloseable> T own(T resource) {
        synchronized (owned) {
            owned.push(resource);
        }
        return resource;
    }

    /**
     * Closes all.
     *
     * @throws RuntimeException the first failure, with those that followed as suppressed exceptions; one that is neither an
     *     error nor unchecked comes as the cause of an {@link IllegalStateException}
     */
    @Override
    public void close() {
        Throwable first = null;
        for (AutoCloseable next = pop(); next != null; next = pop()) {
            try {
                next.close();
            } catch (Exception | Error e) {
                if (first == null) {
                    first = e;
                } else if (first != e) {
                    first.addSuppressed(e);
                }
            }
        }
        if (first instanceof RuntimeException unchecked) {
            throw unchecked;
        } else if (first instanceof Error error) {
            throw error;
        } else if (first != null) {
            throw new IllegalStateException(first);
        }
    }

    private AutoCloseable pop() {
        synchronized (owned) {
            return owned.poll();
        }
    }
}
