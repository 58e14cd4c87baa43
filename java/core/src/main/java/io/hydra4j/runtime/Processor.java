package io.hydra4j.runtime;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Stream;

/** The processor of this machine, for reports: figures mean little without it. */
public final class Processor {
    private static final Path CPU_INFO = Path.of("/proc/cpuinfo");
    private static final String UNKNOWN = "unknown";

    private Processor() {}

    /**
     * {@return the processor in one line, as the system names it, with the numbers that tell it where a virtual machine leaves out the
     * name; {@code unknown} where the system does not say}
     */
    public static String description() {
        try (Stream<String> lines = Files.lines(CPU_INFO)) {
            return description(lines);
        } catch (IOException | UncheckedIOException e) {
            return UNKNOWN;
        }
    }

    /** From the lines of /proc/cpuinfo, {@code name : value} each, of which those of the first processor count. */
    static String description(Stream<String> lines) {
        Map<String, String> values = new LinkedHashMap<>();
        lines.filter(line -> line.indexOf(':') > 0).forEach(line -> {
            int colon = line.indexOf(':');
            values.putIfAbsent(
                    line.substring(0, colon).strip(), line.substring(colon + 1).strip());
        });
        String name = values.getOrDefault("model name", "");
        String numbers = values.containsKey("cpu family") && values.containsKey("model")
                ? "family " + values.get("cpu family") + " model " + values.get("model")
                : "";
        if (name.isEmpty()) {
            return numbers.isEmpty() ? UNKNOWN : numbers;
        }
        return numbers.isEmpty() ? name : name + ", " + numbers;
    }
}
