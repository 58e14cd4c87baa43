package io.hydra4j.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.golden.Json;
import io.hydra4j.golden.Original;
import io.hydra4j.golden.TestData;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Runs the command line in a process of its own, and ends it by a signal. */
class InterruptionTest {
    private static final int TERMINATED = 128 + 15;

    @TempDir
    Path folder;

    @Test
    void aSignalEndsAGenerationBetweenTwoSteps() throws IOException, InterruptedException {
        // Far more prompts than are done before the signal comes, each of them short.
        Path prompts = Files.writeString(folder.resolve("prompts.jsonl"), "[256, 97]\n".repeat(100_000));
        Process process = start(
                "generate",
                "--model",
                Original.base(),
                "--prompt-ids",
                prompts,
                "--ignore-eos",
                "--max-tokens",
                1000,
                "--json");
        try (var out = process.inputReader(StandardCharsets.UTF_8)) {
            String first = out.readLine();
            // Of the process itself, for that would close the pipes.
            process.toHandle().destroy();
            List<String> rest = out.lines().toList();

            requireTermination(process);
            assertEquals("length", Json.parse(first).get("finish_reason").text());
            Json last = Json.parse(rest.isEmpty() ? first : rest.get(rest.size() - 1));
            assertTrue(List.of("cancelled", "length")
                    .contains(last.get("finish_reason").text()));
            assertTrue(rest.size() < 50_000);
        } finally {
            process.destroyForcibly();
        }
    }

    @Test
    void aSignalEndsAConversionAndNothingIsLeft() throws IOException, InterruptedException {
        Path model = Original.withTokenizer(
                Original.variant(Files.createDirectory(folder.resolve("base")), List.of(257), 1024));
        Path text = Files.writeString(folder.resolve("text.txt"), String.join("\n", TestData.heldOutPrompts()));
        Path results = Files.createDirectory(folder.resolve("results"));
        Process process = start(
                "convert",
                "--model",
                model,
                "--heads",
                Original.heads("hydra"),
                "--text",
                text,
                "--tokens",
                1 << 24,
                "--output",
                results.resolve("heads.gguf"));
        try {
            while (process.isAlive() && !isAtWork(process)) {
                Thread.sleep(10);
            }
            process.toHandle().destroy();

            requireTermination(process);
            assertEquals(List.of(), list(temporary()));
            assertEquals(List.of(), list(results));
        } finally {
            process.destroyForcibly();
        }
    }

    /** Ctrl-C and what a system sends before it goes down, each with the exit code that shells know it by. */
    @ParameterizedTest
    @CsvSource({"INT, 130", "TERM, 143"})
    void aSignalSavesATrainingThatThenGoesOnAsIfNothingWere(String signal, int code)
            throws IOException, InterruptedException {
        Path model = Original.withTokenizer(
                Original.variant(Files.createDirectory(folder.resolve("base")), List.of(257), 256));
        Path text = Files.writeString(folder.resolve("text.txt"), String.join("\n", TestData.heldOutPrompts()));
        Path interrupted = folder.resolve("interrupted");
        Path log = interrupted.resolve("log.jsonl");
        Process process = start(train(model, text, interrupted));
        try (var out = process.inputReader(StandardCharsets.UTF_8)) {
            while (process.isAlive()
                    && !(Files.exists(log) && Files.readAllLines(log).size() > 3)) {
                Thread.sleep(10);
            }
            assertEquals(
                    0,
                    new ProcessBuilder("bash", "-c", "kill -" + signal + " " + process.pid())
                            .start()
                            .waitFor());
            List<String> said = out.lines().toList();
            assertTrue(process.waitFor(2, TimeUnit.MINUTES), "it does not end");
            assertEquals(code, process.exitValue(), Files.readString(folder.resolve("err")));
            assertTrue(said.get(said.size() - 1).contains("interrupted, go on with --resume: "), said::toString);
        } finally {
            process.destroyForcibly();
        }
        List<Object> resume = new ArrayList<>(Arrays.asList(train(model, text, interrupted)));
        resume.add("--resume");
        assertEquals(Main.OK, CommandLines.run(resume.toArray()).code());
        Path whole = folder.resolve("whole");
        assertEquals(Main.OK, CommandLines.run(train(model, text, whole)).code());
        assertEquals(steps(whole.resolve("log.jsonl")), steps(log));
        assertArrayEquals(
                Files.readAllBytes(whole.resolve("hydra_lm_head.safetensors")),
                Files.readAllBytes(interrupted.resolve("hydra_lm_head.safetensors")));
    }

    private static Object[] train(Path model, Path text, Path output) {
        String options = "--recipe hydra --heads 2 --tokens 40000 --evaluate-every 20000 --sequence-length 64 --batch 2"
                + " --threads 1 --held-out-tokens 128 --nodes 0";
        List<Object> arguments = new ArrayList<>(
                List.of("train", "--model", model, "--data", text, "--held-out", text, "--output", output));
        arguments.addAll(List.of(options.split(" ")));
        return arguments.toArray();
    }

    /** The lines of a log without what the clock says. */
    private static List<String> steps(Path log) throws IOException {
        return Files.readAllLines(log).stream()
                .map(line -> line.replaceAll(",\"seconds\":.*", "}"))
                .toList();
    }

    @Test
    void theDefaultModelLeavesNothing() throws IOException, InterruptedException {
        Process process = start("generate", "--max-tokens", 8, "public class Point {");
        try (var out = process.inputReader(StandardCharsets.UTF_8)) {
            String text = out.lines().collect(Collectors.joining("\n"));

            assertTrue(process.waitFor(20, TimeUnit.SECONDS), "it does not end");
            assertEquals(0, process.exitValue(), Files.readString(folder.resolve("err")));
            assertFalse(text.isBlank());
            assertEquals(List.of(), list(temporary()));
        } finally {
            process.destroyForcibly();
        }
    }

    /** Whether the libraries are loaded and a folder for the conversion is all that is left in the temporary one. */
    private boolean isAtWork(Process process) throws IOException {
        return list(temporary()).size() == 1
                && Files.readString(Path.of("/proc", Long.toString(process.pid()), "maps"))
                        .contains("libhydra4j.so");
    }

    private Path temporary() {
        return folder.resolve("tmp");
    }

    private Process start(Object... arguments) throws IOException {
        Files.createDirectories(temporary());
        List<String> command = new ArrayList<>(List.of(
                // What runs the tests may have switched Ctrl-C off.
                "env",
                "--default-signal=INT",
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Djava.io.tmpdir=" + temporary(),
                "-cp",
                System.getProperty("java.class.path"),
                Main.class.getName()));
        Arrays.stream(arguments).map(Object::toString).forEach(command::add);
        Process process = new ProcessBuilder(command)
                .redirectError(folder.resolve("err").toFile())
                .start();
        process.getOutputStream().close();
        return process;
    }

    private void requireTermination(Process process) throws IOException, InterruptedException {
        assertTrue(process.waitFor(20, TimeUnit.SECONDS), "it does not end");
        assertEquals(TERMINATED, process.exitValue(), Files.readString(folder.resolve("err")));
    }

    private static List<Path> list(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.filter(file -> !file.getFileName().toString().startsWith("hsperfdata_"))
                    .toList();
        }
    }
}
