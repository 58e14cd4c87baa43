package io.hydra4j.runtime;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;

/**
 * How many threads compute best where nobody says: one for each core, since two threads of one core share what
 * computes and what reads memory.
 */
final class Cores {
    private static final String ALLOWED = "Cpus_allowed_list:";

    private Cores() {}

    /**
     * {@return how many cores this process may use: as many as have a processor on which the system lets it run, and no more than the
     * quota of its control group allows, which the JVM rounds up}
     */
    static int usable() {
        return usable(Path.of("/"), Runtime.getRuntime().availableProcessors());
    }

    /**
     * As above, from the files below {@code root}; the number of processors where they do not tell.
     *
     * @param processors as the JVM counts them
     */
    static int usable(Path root, int processors) {
        try {
            Set<String> cores = new HashSet<>();
            for (String range : allowed(root).orElse("").split(",")) {
                String[] ends = range.strip().split("-", 2);
                int last = Integer.parseInt(ends[ends.length - 1]);
                for (int processor = Integer.parseInt(ends[0]); processor <= last; ++processor) {
                    cores.add(siblings(root, processor));
                }
            }
            return Math.min(processors, cores.size());
        } catch (IOException | UncheckedIOException | NumberFormatException e) {
            return processors;
        }
    }

    /** The processors on which this one may run, as {@code 0-3,8}. */
    private static Optional<String> allowed(Path root) throws IOException {
        try (Stream<String> lines = Files.lines(root.resolve("proc/self/status"))) {
            return lines.filter(line -> line.startsWith(ALLOWED))
                    .map(line -> line.substring(ALLOWED.length()))
                    .findFirst();
        }
    }

    /** The processors of the core that has {@code processor}, the same text for each of them. */
    private static String siblings(Path root, int processor) throws IOException {
        return Files.readString(
                        root.resolve("sys/devices/system/cpu/cpu" + processor + "/topology/thread_siblings_list"))
                .strip();
    }
}
