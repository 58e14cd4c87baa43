package io.hydra4j.runtime;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URISyntaxException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** Runs a class in a JVM of its own, because a library is loaded once per JVM. */
public final class ForkedJvm {
    private final Class<?> main;
    private final List<String> options = new ArrayList<>();
    private final List<String> arguments = new ArrayList<>();
    private Path home;

    /** Runs {@link LoadMain}. */
    ForkedJvm() {
        this(LoadMain.class);
    }

    public ForkedJvm(Class<?> main) {
        this.main = main;
    }

    /** Adds options of the JVM. */
    public ForkedJvm options(String... more) {
        options.addAll(List.of(more));
        return this;
    }

    /** Adds arguments of the class. */
    public ForkedJvm arguments(Object... more) {
        List.of(more).forEach(argument -> arguments.add(argument.toString()));
        return this;
    }

    public ForkedJvm property(String name, Object value) {
        options.add("-D" + name + "=" + value);
        return this;
    }

    /** Sets HOME and user.home. */
    public ForkedJvm home(Path folder) {
        home = folder;
        return property("user.home", folder);
    }

    /** @return what it printed on standard output and standard error */
    public String run() throws IOException, InterruptedException {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.add("-Xmx64m");
        command.addAll(options);
        command.add("-cp");
        command.add(System.getProperty("java.class.path"));
        command.add(main.getName());
        command.addAll(arguments);
        ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
        if (home != null) {
            builder.environment().put("HOME", home.toString());
        }
        Process process = builder.start();
        process.getOutputStream().close();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        if (!process.waitFor(1, TimeUnit.MINUTES)) {
            process.destroyForcibly();
            throw new IllegalStateException("the JVM did not end: " + output);
        }
        return output.strip();
    }

    /** The folder of the libraries that this build has packed. */
    public static Path libraries() {
        try {
            return Path.of(NativeLibrary.class
                    .getResource("/META-INF/native/linux-x86_64/libhydra4j.so")
                    .toURI()
                    .resolve("."));
        } catch (URISyntaxException impossible) {
            throw new IllegalStateException(impossible);
        }
    }

    public static List<Path> list(Path folder) {
        try (var files = Files.list(folder)) {
            return files.toList();
        } catch (IOException cause) {
            throw new UncheckedIOException(cause);
        }
    }
}
