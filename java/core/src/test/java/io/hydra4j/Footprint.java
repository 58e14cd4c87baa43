package io.hydra4j;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;

/**
 * What this process has of the system.
 *
 * @param resident bytes of memory
 * @param threads all of them, those of the JVM too
 * @param files open ones
 * @param mappings of memory; the JVM splits and joins some of its own
 */
record Footprint(long resident, long threads, long files, long mappings) {
    private static final int PAGE = 4096;
    /** Fewer than one for each of the 50 or more models that a test opens: a heap that shrinks splits its mappings. */
    private static final int MORE_MAPPINGS = 40;
    /** Likewise: the JVM opens a jar with the first class that it loads of it. */
    private static final int MORE_FILES = 8;

    /** Takes it after a collection. */
    static Footprint take() throws IOException {
        System.gc();
        return new Footprint(
                Long.parseLong(Files.readString(Path.of("/proc/self/statm")).split(" ")[1]) * PAGE,
                count("/proc/self/task"),
                count("/proc/self/fd"),
                Files.readAllLines(Path.of("/proc/self/maps")).size());
    }

    private static long count(String folder) throws IOException {
        try (Stream<Path> entries = Files.list(Path.of(folder))) {
            return entries.count();
        }
    }

    /** @throws AssertionError if there is more than before, by as many as leaks would make it, or than this growth of resident memory */
    void requireNoMoreThan(Footprint before, long growth) {
        if (resident > before.resident + growth
                || threads > before.threads
                || files > before.files + MORE_FILES
                || mappings > before.mappings + MORE_MAPPINGS) {
            throw new AssertionError(this + " after " + before);
        }
    }
}
