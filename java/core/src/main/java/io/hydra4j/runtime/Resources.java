package io.hydra4j.runtime;

import java.util.ArrayDeque;
import java.util.Deque;

/** Owns what was opened and closes it in reverse order. Idempotent. Not thread-safe. */
public final class Resources implements AutoCloseable {
    private final Deque<AutoCloseable> owned = new ArrayDeque<>();

    /** Closes a resource together with the others, before those that are owned already. */
    public <T extends AutoCloseable> T own(T resource) {
        owned.push(resource);
        return resource;
    }

    @Override
    public void close() {
        while (!owned.isEmpty()) {
            try {
                owned.pop().close();
            } catch (RuntimeException e) {
                throw e;
            } catch (Exception e) {
                throw new IllegalStateException(e);
            }
        }
    }
}
