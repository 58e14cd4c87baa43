package io.hydra4j.cli;

import io.hydra4j.BackendInfo;
import io.hydra4j.runtime.BackendKind;
import io.hydra4j.runtime.Processor;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;

/** Where and with what figures were measured, by name: without it they mean little. */
final class Machine {
    private Machine() {}

    /** In the order in which reports show it. */
    static Map<String, String> describe(BackendInfo backend) {
        Map<String, String> machine = new LinkedHashMap<>();
        machine.put("processor", Processor.description());
        machine.put("cores", String.valueOf(Runtime.getRuntime().availableProcessors()));
        machine.put("backend", BackendName.of(backend.kind()));
        if (backend.kind() == BackendKind.CPU) {
            machine.put("instruction_set", backend.isa().orElseThrow().name().toLowerCase(Locale.ROOT));
            machine.put("threads", String.valueOf(backend.threads()));
        } else {
            machine.put("device", backend.description());
        }
        machine.put("version", new Main.Version().getVersion()[0]);
        machine.put("system", System.getProperty("os.name") + " " + System.getProperty("os.version"));
        machine.put("java", System.getProperty("java.vm.name") + " " + System.getProperty("java.runtime.version"));
        machine.put("date", Instant.now().truncatedTo(ChronoUnit.SECONDS).toString());
        return machine;
    }
}
