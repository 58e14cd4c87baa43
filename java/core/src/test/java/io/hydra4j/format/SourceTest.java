package io.hydra4j.format;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import io.hydra4j.FormatException.Unreadable;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SourceTest {
    @TempDir
    private Path folder;

    @Test
    void aFileThatMustNotBeReadSaysSo() throws IOException {
        Path file = Files.writeString(folder.resolve("config.json"), "{}");
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("---------"));
        assumeFalse(Files.isReadable(file), "this user may read everything");
        Unreadable error = assertThrows(Unreadable.class, () -> StrictJson.read(file));
        assertEquals("permission denied", error.found());
    }

    @Test
    void anInterruptedThreadSaysSoAndStaysInterrupted() throws IOException {
        Path file = Files.writeString(folder.resolve("config.json"), "{}");
        Thread.currentThread().interrupt();
        try {
            Unreadable error = assertThrows(Unreadable.class, () -> StrictJson.read(file));
            assertTrue(error.found().contains("interruption"), error.getMessage());
            assertFalse(error.getMessage().contains("null"), error.getMessage());
        } finally {
            assertTrue(Thread.interrupted());
        }
    }

    @Test
    void aPipeIsNotWaitedFor() throws IOException, InterruptedException {
        Path pipe = folder.resolve("model.gguf");
        assertEquals(0, new ProcessBuilder("mkfifo", pipe.toString()).start().waitFor());
        assertTimeoutPreemptively(Duration.ofMinutes(1), () -> {
            Unreadable error = assertThrows(Unreadable.class, () -> GgufFile.read(pipe));
            assertEquals("no regular file", error.found());
        });
    }
}
