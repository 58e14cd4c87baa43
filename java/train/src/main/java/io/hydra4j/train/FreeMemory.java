package io.hydra4j.train;

import io.hydra4j.InsufficientMemoryException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;

/** Memory that the system has left: it grants more than it has, and ends the process that uses it. */
final class FreeMemory {
    private static final double GIB = 1L << 30;

    private FreeMemory() {}

    /**
     * Refuses what does not fit.
     *
     * @param remedy what needs less
     * @throws InsufficientMemoryException if the system states that it has less
     */
    static void require(long bytes, String remedy) {
        require(bytes, available(Path.of("/proc/meminfo")), remedy);
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
