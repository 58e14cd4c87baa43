package io.hydra4j.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.FormatException;
import io.hydra4j.format.GgufFile;
import io.hydra4j.format.Tensor;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class WeightFilesTest {
    @TempDir
    private Path folder;

    private Path path;
    private Tensor last;

    @BeforeEach
    void write() {
        path = TinyModel.gguf().write(folder.resolve("model.gguf"));
        last = GgufFile.read(path).tensors().values().stream()
                .reduce((first, second) -> second.offset() > first.offset() ? second : first)
                .orElseThrow();
    }

    @Test
    void aFileIsMappedOnce() {
        try (WeightFiles files = new WeightFiles()) {
            assertEquals(files.of(last), files.of(last));
        }
    }

    @Test
    void aFileThatHasBecomeShorterIsRefused() throws IOException {
        try (FileChannel file = FileChannel.open(path, StandardOpenOption.WRITE)) {
            file.truncate(file.size() - 1);
        }
        try (WeightFiles files = new WeightFiles()) {
            FormatException error = assertThrows(FormatException.Truncated.class, () -> files.of(last));
            assertEquals(path, error.file());
            assertEquals(last.name(), error.field());
        }
    }

    @Test
    void aFileThatHasGoneIsRefused() throws IOException {
        Files.delete(path);
        try (WeightFiles files = new WeightFiles()) {
            FormatException error = assertThrows(FormatException.Unreadable.class, () -> files.of(last));
            assertTrue(error.getMessage().contains("model.gguf"), error.getMessage());
        }
    }
}
