package io.hydra4j.cli;

import io.hydra4j.runtime.Backends;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;

/** Says what this machine can run. */
@Command(name = "devices", description = "Shows what this machine can run, and what it cannot and why.")
final class DevicesCommand implements Callable<Integer> {
    private final Console console;

    DevicesCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        console.print(Backends.describe());
        return Main.OK;
    }
}
