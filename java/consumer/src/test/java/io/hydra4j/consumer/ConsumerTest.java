package io.hydra4j.consumer;

import static org.junit.jupiter.api.Assertions.assertAll;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.spi.ToolProvider;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What depends on the library compiles and runs, on the module path and on the class path, with what Maven gives it. */
class ConsumerTest {
    private static final Path SOURCES = Path.of("src/main/java/io/hydra4j/consumer");
    private static final Path CLASSES = Path.of("target/classes");
    private static final Path MODELS = Path.of("../../models");
    private static final String MAIN = "io.hydra4j.consumer.Main";

    @TempDir
    Path folder;

    /** Maven compiles it as a module. */
    @Test
    void runsOnTheModulePath() throws Exception {
        String output = run("--module-path", CLASSES + ":" + classPath(), "--module", "io.hydra4j.consumer/" + MAIN);
        requireAnswer(output, true);
    }

    @Test
    void compilesAndRunsOnTheClassPath() throws Exception {
        StringWriter messages = new StringWriter();
        assertEquals(
                0,
                compile(
                        messages,
                        "-Werror",
                        "-d",
                        folder.toString(),
                        "-cp",
                        classPath(),
                        SOURCES.resolve("Main.java").toString(),
                        SOURCES.resolve("SameToken.java").toString()),
                messages::toString);
        requireAnswer(run("-cp", folder + ":" + classPath(), MAIN), false);
    }

    @Test
    void modulesCannotReachWhatIsInternal() throws IOException {
        for (String internal : List.of(
                "decode.access.Sessions",
                "format.GgufFile",
                "heads.DraftHeads",
                "model.ModelFiles",
                "runtime.bindings.Native",
                "tuning.StepCosts")) {
            Path module = Files.writeString(folder.resolve("module-info.java"), "module x { requires io.hydra4j; }");
            Path source = Files.writeString(
                    folder.resolve("X.java"), "package x; class X { io.hydra4j." + internal + " y; }");
            StringWriter messages = new StringWriter();
            int status = compile(
                    messages,
                    "-d",
                    folder.toString(),
                    "-cp",
                    "",
                    "-p",
                    classPath(),
                    module.toString(),
                    source.toString());
            assertNotEquals(0, status, internal);
            assertTrue(messages.toString().contains("which does not export it"), messages::toString);
        }
    }

    @Test
    void theLibraryBringsNoCommandLine() throws IOException {
        String tree = Files.readString(Path.of("target/dependency-tree.txt"));
        assertTrue(tree.contains("io.hydra4j:hydra4j:jar"), tree);
        for (String absent : List.of("picocli", "progressbar", "jline", "slf4j-nop", "hydra4j-cli")) {
            assertFalse(tree.contains(absent), tree);
        }
    }

    private static void requireAnswer(String output, boolean module) {
        assertAll(
                output,
                () -> assertTrue(output.contains("text: \\n    private final"), "the text"),
                () -> assertEquals(32, line(output, "plain: ").split(",").length, "the tokens of plain decoding"),
                () -> assertEquals(line(output, "plain: "), line(output, "guessed: "), "what a drafter guesses"),
                () -> assertTrue(output.contains("named module: " + module), "the module"),
                () -> assertTrue(output.contains("cuda"), "what is said of CUDA"),
                () -> assertFalse(output.contains("neither on the class path nor on the module path"), "hydra4j-cuda"));
    }

    private static String line(String output, String name) {
        return output.lines()
                .filter(line -> line.startsWith(name))
                .findFirst()
                .map(line -> line.substring(name.length()))
                .orElse("");
    }

    private static String classPath() throws IOException {
        return Files.readString(Path.of("target/class-path.txt")).strip();
    }

    private static int compile(StringWriter messages, String... arguments) {
        PrintWriter writer = new PrintWriter(messages);
        return ToolProvider.findFirst("javac").orElseThrow().run(writer, writer, arguments);
    }

    private static String run(String... options) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(List.of(options));
        command.add(MODELS.resolve("javalm-19m-q8_0.gguf").toString());
        command.add(MODELS.resolve("javalm-19m-hydra-plus-plus.gguf").toString());
        command.add("public class Point {");
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        process.getOutputStream().close();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        if (!process.waitFor(2, TimeUnit.MINUTES)) {
            process.destroyForcibly();
            throw new IllegalStateException("the JVM did not end: " + output);
        }
        return output;
    }
}
