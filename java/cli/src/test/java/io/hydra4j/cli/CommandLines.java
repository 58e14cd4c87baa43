package io.hydra4j.cli;

import io.hydra4j.golden.Json;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;

/** Runs command lines inside the tests' process. */
final class CommandLines {
    private CommandLines() {}

    /** What a command line left behind. */
    record Outcome(int code, String out, String err) {
        /** The JSON values of the output, one a line. */
        List<Json> json() {
            return out.lines().map(Json::parse).toList();
        }
    }

    static Outcome run(Object... args) {
        return runWith("", args);
    }

    /** With pipes on all sides. */
    static Outcome runWith(String input, Object... args) {
        return run(input, false, args);
    }

    /** On a terminal with colours. */
    static Outcome runOnTerminal(Object... args) {
        return run("", true, args);
    }

    private static Outcome run(String input, boolean terminal, Object... args) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        ByteArrayInputStream in = new ByteArrayInputStream(input.getBytes(StandardCharsets.UTF_8));
        Console console = new Console(in, out, err, terminal, terminal, terminal, terminal);
        int code = Main.run(console, Arrays.stream(args).map(Object::toString).toArray(String[]::new));
        return new Outcome(code, out.toString(StandardCharsets.UTF_8), err.toString(StandardCharsets.UTF_8));
    }
}
