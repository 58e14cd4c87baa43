package io.hydra4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.golden.Json;
import io.hydra4j.golden.Original;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Runs the command line in a process of its own. It gets SIGTERM, which takes the same way as Ctrl-C's SIGINT but cannot be
 * switched off by what started the tests.
 */
class InterruptionTest {
    private static final int TERMINATED = 128 + 15;

    @TempDir
    Path folder;

    @Test
    void aSignalEndsAGenerationBetweenTwoSteps() throws IOException, InterruptedException {
        // Far more prompts than are done before the signal comes, each of them short.
        Path prompts = Files.writeString(folder.resolve("prompts.jsonl"), "[256, 97]\n".repeat(100_000));
        Process process = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-cp",
                        System.getProperty("java.class.path"),
                        Main.class.getName(),
                        "generate",
                        "--model",
                        Original.base().toString(),
                        "--prompt-ids",
                        prompts.toString(),
                        "--ignore-eos",
                        "--max-tokens",
                        "1000",
                        "--json")
                .redirectError(folder.resolve("err").toFile())
                .start();
        try (var out = process.inputReader(StandardCharsets.UTF_8)) {
            String first = out.readLine();
            // Of the process itself, for that would close the pipes.
            process.toHandle().destroy();
            List<String> rest = out.lines().toList();

            assertTrue(process.waitFor(20, TimeUnit.SECONDS), "it does not end");
            assertEquals(TERMINATED, process.exitValue(), Files.readString(folder.resolve("err")));
            assertEquals("length", Json.parse(first).get("finish_reason").text());
            Json last = Json.parse(rest.isEmpty() ? first : rest.get(rest.size() - 1));
            assertTrue(List.of("cancelled", "length")
                    .contains(last.get("finish_reason").text()));
            assertTrue(rest.size() < 50_000);
        } finally {
            process.destroyForcibly();
        }
    }
}
