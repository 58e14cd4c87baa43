package io.hydra4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a process of its own loads, and what it needs of the Java that runs it. */
class StartTest {
    @TempDir
    Path folder;

    private int run(List<String> java, String... args) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(
                List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString()));
        command.addAll(java);
        command.addAll(List.of("-cp", System.getProperty("java.class.path"), Main.class.getName()));
        command.addAll(Arrays.asList(args));
        return new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(folder.resolve("out").toFile())
                .start()
                .waitFor();
    }

    @ParameterizedTest
    @ValueSource(strings = {"generate", "tune-tree", "bench"})
    void commandsThatDrawNothingLoadNoGraphics(String name) throws IOException, InterruptedException {
        Path log = folder.resolve("classes");

        assertEquals(Main.OK, run(List.of("-Xlog:class+load:file=" + log), name, "--help"));

        try (Stream<String> classes = Files.lines(log)) {
            assertEquals(
                    List.of(),
                    classes.filter(line -> line.contains(" java.awt.") || line.contains(" org.knowm."))
                            .toList());
        }
    }

    @Test
    void aJavaWithoutGraphicsSaysSoBeforeAnythingIsOpened() throws IOException, InterruptedException {
        List<String> java = List.of("--limit-modules", "java.base,java.logging,java.xml,jdk.unsupported");

        assertEquals(
                Main.FAILURE,
                run(java, "bench", "--html", folder.resolve("a.html").toString()));

        String message = Files.readString(folder.resolve("out"));
        assertEquals(1, message.lines().count(), message);
        assertTrue(message.contains("lacks the module java.desktop"), message);
    }
}
