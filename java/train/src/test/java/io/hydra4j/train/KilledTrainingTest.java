package io.hydra4j.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.format.SafetensorsFile;
import io.hydra4j.format.Tensor;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Runs in processes of their own that are ended at any moment, or that have no room to write. */
class KilledTrainingTest {
    /** A moment lies up to so long after what the process has said last: about what it does between two lines. */
    private static final int MOST_NANOS = 15_000_000;

    private static final String HEADS = "hydra_lm_head.safetensors";

    @TempDir
    static Path folder;

    private static Path model;
    private static Path data;
    private static Path whole;

    @TempDir
    Path outputs;

    @BeforeAll
    static void trainWithoutInterruption() throws IOException {
        model = TinyBase.model(Files.createDirectory(folder.resolve("base")));
        data = TinyBase.data(folder.resolve("data.jsonl"));
        whole = folder.resolve("whole");
        assertTrue(TrainingMain.training(model, data, whole).run().complete());
    }

    private Process start(Path output) throws IOException {
        List<String> command = List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx128m",
                "-XX:TieredStopAtLevel=1",
                "-cp",
                System.getProperty("java.class.path"),
                TrainingMain.class.getName(),
                model.toString(),
                data.toString(),
                output.toString());
        return new ProcessBuilder(command)
                .redirectError(outputs.resolve("err").toFile())
                .start();
    }

    /** All that a process says until its end. */
    private static List<String> said(Process process) throws IOException {
        try (BufferedReader said = process.inputReader(StandardCharsets.UTF_8)) {
            return said.lines().toList();
        } finally {
            process.destroyForcibly();
        }
    }

    private boolean isKilledAfterACheckpoint(Path output) throws IOException, InterruptedException {
        Process process = start(output);
        try (BufferedReader said = process.inputReader(StandardCharsets.UTF_8)) {
            String line = said.readLine();
            while (line != null && !Files.exists(output.resolve(TrainingRun.CHECKPOINT))) {
                line = said.readLine();
            }
            return line != null;
        } finally {
            process.destroyForcibly().waitFor();
        }
    }

    /**
     * Lets a process go on until it has said so many lines and a moment more, and kills it.
     *
     * @return whether it was killed before it came to its end
     */
    private boolean isKilled(Path output, Random random) throws IOException, InterruptedException {
        Process process = start(output);
        try (BufferedReader said = process.inputReader(StandardCharsets.UTF_8)) {
            List<String> lines = new ArrayList<>();
            int most = 1 + random.nextInt(8);
            String line = said.readLine();
            while (line != null && lines.size() < most) {
                lines.add(line);
                line = said.readLine();
            }
            long until = System.nanoTime() + random.nextInt(MOST_NANOS);
            while (System.nanoTime() < until) {
                Thread.onSpinWait();
            }
            process.toHandle().destroyForcibly();
            assertTrue(process.waitFor(1, TimeUnit.MINUTES), () -> "it does not end after " + lines);
            assertTrue(
                    lines.stream().noneMatch(it -> it.contains(":")),
                    () -> lines + ", " + outputs.resolve("err").toUri());
            return said.lines().noneMatch("complete"::equals);
        } finally {
            process.destroyForcibly();
        }
    }

    private void assertKilledRunsComeToTheSame(int kills, long seed) throws IOException, InterruptedException {
        Random random = new Random(seed);
        Path broken = outputs.resolve("broken");
        for (int i = 0; i < kills; i++) {
            assertTrue(isKilled(broken, random), i + " kills, and it is at its end");
        }
        List<String> said = said(start(broken));
        assertEquals("complete", said.get(said.size() - 1), () -> errors(said));
        assertSame(broken);
    }

    private String errors(List<String> said) {
        try {
            return said + Files.readString(outputs.resolve("err"));
        } catch (IOException e) {
            return said.toString();
        }
    }

    /** Whether a run has left what the uninterrupted one has: the same log but for times, the same weights and moments, and no more files. */
    private static void assertSame(Path output) throws IOException {
        assertEquals(steps(whole), steps(output));
        assertEquals(names(whole), names(output));
        for (String file : List.of(HEADS, "config.json")) {
            assertArrayEquals(Files.readAllBytes(whole.resolve(file)), Files.readAllBytes(output.resolve(file)), file);
        }
        assertEquals(vectors(whole), vectors(output));
    }

    private static List<String> steps(Path output) throws IOException {
        return Files.readAllLines(output.resolve(TrainingRun.LOG)).stream()
                .map(line -> line.replaceAll(",\"seconds\":.*", "}"))
                .toList();
    }

    private static List<String> names(Path output) throws IOException {
        try (Stream<Path> files = Files.list(output)) {
            return files.map(file -> file.getFileName().toString()).sorted().toList();
        }
    }

    /** A hash of each tensor of the checkpoint; its metadata have times. */
    private static Map<String, Integer> vectors(Path output) throws IOException {
        Path file = output.resolve(TrainingRun.CHECKPOINT);
        byte[] bytes = Files.readAllBytes(file);
        Map<String, Integer> hashes = new LinkedHashMap<>();
        for (Tensor tensor : SafetensorsFile.read(file).table().tensors().values()) {
            int from = (int) tensor.offset();
            hashes.put(tensor.name(), Arrays.hashCode(Arrays.copyOfRange(bytes, from, from + (int) tensor.bytes())));
        }
        return hashes;
    }

    /** Files may have a size that the heads fit in and the checkpoint does not. */
    @Test
    void aRunWithoutRoomForACheckpointLeavesTheLastOne() throws IOException, InterruptedException {
        Path full = outputs.resolve("full");
        assertTrue(isKilledAfterACheckpoint(full));
        byte[] before = Files.readAllBytes(full.resolve(TrainingRun.CHECKPOINT));
        long room = (Files.size(full.resolve(HEADS)) + before.length) / 2;

        Process process = start(full);
        List<String> said = new ArrayList<>();
        try (BufferedReader lines = process.inputReader(StandardCharsets.UTF_8)) {
            said.add(lines.readLine());
            // By now it has unpacked its libraries, which are larger.
            Process limit = new ProcessBuilder("prlimit", "--pid", "" + process.pid(), "--fsize=" + room + ":").start();
            assertEquals(0, limit.waitFor());
            lines.lines().forEach(said::add);
        } finally {
            process.destroyForcibly();
        }

        String last = said.get(said.size() - 1);
        assertTrue(
                last.startsWith("NotSaved: " + full.resolve(TrainingRun.CHECKPOINT)
                        + ": cannot be written: File too large: the checkpoint before is whole: make room"),
                () -> errors(said));
        assertArrayEquals(before, Files.readAllBytes(full.resolve(TrainingRun.CHECKPOINT)));
        List<String> resumed = said(start(full));
        assertEquals("complete", resumed.get(resumed.size() - 1), () -> errors(resumed));
        assertSame(full);
    }

    @Test
    void aRunThatWasKilledFourTimesTakesTheSameSteps() throws IOException, InterruptedException {
        assertKilledRunsComeToTheSame(4, 3);
    }

    @Test
    @Tag("long")
    void aRunThatWasKilledTwentyTimesTakesTheSameSteps() throws IOException, InterruptedException {
        assertKilledRunsComeToTheSame(20, 11);
    }
}
