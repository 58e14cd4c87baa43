package io.hydra4j.train;

import io.hydra4j.InsufficientMemoryException;
import io.hydra4j.runtime.Backend;
import io.hydra4j.runtime.BackendKind;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
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
        boolean isHost = backend.kind() == BackendKind.CPU;
        long available =
                isHost ? available(Path.of("/proc/meminfo")) : backend.memory().freeBytes();
        require(bytes, available, remedy);
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

    /** What is available, or the most that there is where the system does not say. */
    static long available(Path meminfo) {
        try {
            for (String line : Files.readAllLines(meminfo)) {
                if (line.startsWith("MemAvailable:")) {
                    return Long.parseLong(line.replaceAll("[^0-9]", "")) << 10;
                }
            }
        } catch (IOException | NumberFormatException e) {
            // not asked
        }
        return Long.MAX_VALUE;
    }
}
