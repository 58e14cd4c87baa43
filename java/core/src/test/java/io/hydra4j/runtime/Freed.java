package io.hydra4j.runtime;

import static org.junit.jupiter.api.Assertions.assertTrue;

/** Finds handles that somebody lost: what they keep in use is not freed when it is closed. */
public final class Freed {
    private Freed() {}

    /** Closes a backend, and fails if anything that was made on it is still open. */
    public static void assertFreedWhenClosed(Backend backend) {
        backend.close();
        assertTrue(backend.handle().pointer().isNull(), "something that was made on the backend was never closed");
    }
}
