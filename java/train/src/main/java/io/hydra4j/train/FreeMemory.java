package io.hydra4j.train;

import io.hydra4j.InsufficientMemoryException;
import io.hydra4j.runtime.Backend;
import java.util.Locale;

/** Memory that a GPU has left, or the system, which grants more than it has and ends the process that uses it. */
final class FreeMemory {
    private static final double GIB = 1L << 30;

    private FreeMemory() {}

    /**
     * Refuses what does not fit.
     *
     * @param backend whose memory it is to be
     * @param remedy what needs less
     * @throws InsufficientMemoryException if the GPU or the system states that it has less
     */
    static void require(long bytes, Backend backend, String remedy) {
        require(bytes, backend.memory().freeBytes(), remedy);
    }

    static void require(long bytes, long available, String remedy) {
        if (bytes > available) {
            throw new InsufficientMemoryException(
                    String.format(
                            Locale.ROOT,
                            "training needs %.2f GiB of memory, %.2f GiB are free: %s",
                            bytes / GIB,
                            available / GIB,
                            remedy),
                    bytes,
                    available);
        }
    }
}
