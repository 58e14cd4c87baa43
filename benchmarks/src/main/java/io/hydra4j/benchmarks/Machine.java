package io.hydra4j.benchmarks;

import io.hydra4j.runtime.Backend;
import io.hydra4j.runtime.BackendKind;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Properties;

/** Where and with what a run was made. */
final class Machine {
    private static final String UNKNOWN = "unknown";

    private Machine() {}

    /** Processor, cores, backend and its device, system, JDK, versions and date, in the order in which JSON shows them. */
    static Map<String, Object> describe() {
        Map<String, Object> machine = new LinkedHashMap<>();
        machine.put("processor", processor());
        machine.put("cores", Runtime.getRuntime().availableProcessors());
        try (Backend backend = Settings.openBackend()) {
            machine.put("backend", backend.kind().name().toLowerCase(Locale.ROOT));
            machine.put("device", backend.description());
            if (backend.kind() == BackendKind.CUDA) {
                machine.put("driver", driver());
            }
        }
        machine.put("system", System.getProperty("os.name") + " " + System.getProperty("os.version"));
        machine.put("jdk", System.getProperty("java.vm.name") + " " + System.getProperty("java.runtime.version"));
        machine.put("version", build("version"));
        machine.put("commit", build("commit"));
        machine.put("date", Instant.now().truncatedTo(ChronoUnit.SECONDS));
        return machine;
    }

    /** One line for the head of a table. */
    static String line(Map<String, Object> machine) {
        return machine.get("processor") + ", " + machine.get("cores") + " cores, " + machine.get("device") + ", commit "
                + machine.get("commit");
    }

    private static String processor() {
        return valueAfter("/proc/cpuinfo", "model name");
    }

    private static String driver() {
        return valueAfter("/proc/driver/nvidia/version", "NVRM version");
    }

    /** What stands after the colon of the first such line of a file. */
    private static String valueAfter(String file, String key) {
        try (var lines = Files.lines(Path.of(file))) {
            return lines.filter(line -> line.startsWith(key))
                    .map(line -> line.substring(line.indexOf(':') + 1).strip())
                    .findFirst()
                    .orElse(UNKNOWN);
        } catch (IOException e) {
            return UNKNOWN;
        }
    }

    /** A value that the build left; "unknown" where it could not tell, as without git. */
    private static String build(String key) {
        Properties build = new Properties();
        try (var in = Machine.class.getResourceAsStream("build.properties")) {
            if (in != null) {
                build.load(in);
            }
        } catch (IOException e) {
            return UNKNOWN;
        }
        String value = build.getProperty(key, "").strip();
        return value.isEmpty() || value.contains("${") ? UNKNOWN : value;
    }
}
