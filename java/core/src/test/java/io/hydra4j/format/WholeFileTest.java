package io.hydra4j.format;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.HydraException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class WholeFileTest {
    private static final byte[] NEW = "new".getBytes(StandardCharsets.UTF_8);

    @TempDir
    Path folder;

    private List<String> names() throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.map(file -> file.getFileName().toString()).sorted().toList();
        }
    }

    @Test
    void aFileThatIsThereIsReplacedAtOnce() throws IOException {
        Path file = Files.writeString(folder.resolve("a"), "old");
        WholeFile.write(file, out -> {
            out.write(NEW);
            out.flush();
            assertEquals("old", Files.readString(file));
        });
        assertEquals("new", Files.readString(file));
        assertEquals(List.of("a"), names());
    }

    @Test
    void behindALinkTheFileItselfIsReplaced() throws IOException {
        Path file =
                Files.writeString(Files.createDirectory(folder.resolve("other")).resolve("a"), "old");
        Path link = Files.createSymbolicLink(folder.resolve("link"), Path.of("other/a"));
        WholeFile.write(link, out -> out.write(NEW));
        assertTrue(Files.isSymbolicLink(link));
        assertEquals("new", Files.readString(file));
        Path half = Files.writeString(file.resolveSibling("a.12345678-1234-1234-1234-123456789abc.tmp"), "half");
        WholeFile.deleteRemains(link);
        assertFalse(Files.exists(half));
    }

    @Test
    void aPipeIsWrittenToAndStays() throws Exception {
        Path pipe = folder.resolve("pipe");
        assertEquals(0, new ProcessBuilder("mkfifo", pipe.toString()).start().waitFor());
        Process reader = new ProcessBuilder("cat", pipe.toString()).start();
        try {
            WholeFile.write(pipe, out -> {
                out.write(NEW);
                out.close();
            });
            assertTrue(Files.readAttributes(pipe, BasicFileAttributes.class).isOther());
            assertArrayEquals(NEW, reader.getInputStream().readAllBytes());
        } finally {
            reader.destroy();
        }
        assertEquals(List.of("pipe"), names());
    }

    @Test
    void contentMayCloseItsStream() throws IOException {
        Path file = folder.resolve("a");
        WholeFile.write(file, out -> {
            out.write(NEW);
            out.close();
        });
        assertEquals("new", Files.readString(file));
    }

    @Test
    void onAFullDiskTheOldFileStaysAndNothingIsLeftBesideIt() throws IOException {
        Path file = Files.writeString(folder.resolve("a"), "old");
        HydraException refused = assertThrows(
                HydraException.class,
                () -> WholeFile.write(file, out -> {
                    out.write(NEW);
                    throw new FileSystemException("a.tmp", null, "No space left on device");
                }));
        assertEquals(file + ": cannot be written: No space left on device", refused.getMessage());
        assertEquals("old", Files.readString(file));
        assertEquals(List.of("a"), names());
    }

    @Test
    void contentThatFailsOtherwiseLeavesNothingEither() throws IOException {
        Path file = folder.resolve("a");
        assertThrows(
                IllegalStateException.class,
                () -> WholeFile.write(file, out -> {
                    throw new IllegalStateException();
                }));
        assertEquals(List.of(), names());
    }

    @Test
    void whatWritesOfKilledProcessesHaveLeftIsDeletedAndNothingElse() throws IOException {
        Path file = Files.writeString(folder.resolve("a"), "old");
        String half = ".12345678-1234-1234-1234-123456789abc.tmp";
        for (String name : List.of("a" + half, "b" + half, "a.tmp", "aa" + half, "a.b" + half)) {
            Files.writeString(folder.resolve(name), "half");
        }
        WholeFile.deleteRemains(file);
        assertEquals(List.of("a", "a.b" + half, "a.tmp", "aa" + half, "b" + half), names());
        HydraException refused =
                assertThrows(HydraException.class, () -> WholeFile.deleteRemains(folder.resolve("none/a")));
        assertTrue(refused.getMessage().contains("cannot be deleted: there is no such folder"), refused.getMessage());
    }

    @Test
    void aPlaceThatIsNoneIsToldWithoutTheNameOfTheFileBesideIt() throws IOException {
        Path nowhere = folder.resolve("none/a");
        HydraException refused =
                assertThrows(HydraException.class, () -> WholeFile.write(nowhere, out -> out.write(NEW)));
        assertEquals(nowhere + ": cannot be written: there is no such folder", refused.getMessage());
        Path taken = Files.createDirectories(folder.resolve("taken"));
        refused = assertThrows(HydraException.class, () -> WholeFile.write(taken, out -> out.write(NEW)));
        assertTrue(refused.getMessage().startsWith(taken + ": cannot be written: "), refused.getMessage());
        assertEquals(List.of("taken"), names());
    }
}
