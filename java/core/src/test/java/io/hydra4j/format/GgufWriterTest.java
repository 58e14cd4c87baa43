package io.hydra4j.format;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.HydraException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class GgufWriterTest {
    @TempDir
    private Path folder;

    private Path path;

    @BeforeEach
    void nameFile() {
        path = folder.resolve("heads.gguf");
    }

    @Test
    void whatIsWrittenIsReadAgain() {
        new GgufWriter()
                .put("small", 7)
                .put("large", 1L << 40)
                .put("negative", -1L)
                .put("single", 0.5)
                .put("double", 0.1)
                .put("flag", true)
                .put("text", "ü")
                .put("texts", new String[] {"a", ""})
                .put("ids", new long[] {1, -2})
                .put("long ids", new long[] {1L << 40})
                .put("singles", new double[] {0.5, Double.NaN})
                .put("doubles", new double[] {0.1})
                .put("flags", new boolean[] {true, false})
                .write(path);
        var metadata = GgufFile.read(path).metadata();
        assertEquals(
                List.of(7L, 1L << 40, -1L, 0.5, 0.1, true, "ü"),
                List.copyOf(metadata.values()).subList(0, 7));
        assertArrayEquals(new String[] {"a", ""}, (String[]) metadata.get("texts"));
        assertArrayEquals(new long[] {1, -2}, (long[]) metadata.get("ids"));
        assertArrayEquals(new long[] {1L << 40}, (long[]) metadata.get("long ids"));
        assertArrayEquals(new double[] {0.5, Double.NaN}, (double[]) metadata.get("singles"));
        assertArrayEquals(new double[] {0.1}, (double[]) metadata.get("doubles"));
        assertArrayEquals(new boolean[] {true, false}, (boolean[]) metadata.get("flags"));
    }

    @Test
    void tensorsLieWhereTheHeaderSays() throws IOException {
        new GgufWriter()
                .tensor("matrix", TensorType.Q8_0, List.of(3L, 32L), out -> out.write(filled(102, 1)))
                .tensor("vector", TensorType.F32, List.of(2L), out -> {
                    for (int i = 0; i < 8; i++) {
                        out.write(2);
                    }
                })
                .write(path);
        var tensors = GgufFile.read(path).tensors();
        var file = Files.readAllBytes(path);
        assertEquals(List.of(3L, 32L), tensors.get("matrix").shape());
        assertArrayEquals(filled(102, 1), bytes(file, tensors.get("matrix")));
        assertArrayEquals(filled(8, 2), bytes(file, tensors.get("vector")));
    }

    @Test
    void theFileAppearsOnlyWhenItIsComplete() throws IOException {
        Files.writeString(path, "old");
        var tooShort = new GgufWriter().tensor("t", TensorType.F32, List.of(2L), out -> out.write(new byte[7]));
        assertThrows(IllegalStateException.class, () -> tooShort.write(path));
        var failing = new GgufWriter().tensor("t", TensorType.F32, List.of(2L), out -> {
            assertEquals("old", Files.readString(path));
            throw new IOException("no more room");
        });
        var failure = assertThrows(HydraException.class, () -> failing.write(path));
        assertTrue(failure.getMessage().contains("no more room"));
        assertEquals("old", Files.readString(path));
        try (var files = Files.list(folder)) {
            assertEquals(List.of(path), files.toList());
        }
    }

    @Test
    void whatNoReaderWouldTakeIsRefused() {
        var writer = new GgufWriter().put("a", 1).tensor("t", TensorType.F32, List.of(1L), out -> {});
        assertThrows(IllegalArgumentException.class, () -> writer.put("a", 2));
        assertThrows(IllegalArgumentException.class, () -> writer.put("", 2));
        assertThrows(IllegalArgumentException.class, () -> writer.put("b", List.of()));
        assertThrows(IllegalArgumentException.class, () -> writer.put("general.alignment", 1));
        assertThrows(IllegalArgumentException.class, () -> writer.tensor("t", TensorType.F32, List.of(1L), out -> {}));
        assertThrows(IllegalArgumentException.class, () -> writer.tensor("u", TensorType.F32, List.of(), out -> {}));
        assertThrows(IllegalArgumentException.class, () -> writer.tensor("u", TensorType.F32, List.of(0L), out -> {}));
        assertThrows(
                IllegalArgumentException.class, () -> writer.tensor("u", TensorType.Q8_0, List.of(33L), out -> {}));
    }

    private static byte[] filled(int length, int value) {
        var bytes = new byte[length];
        Arrays.fill(bytes, (byte) value);
        return bytes;
    }

    private static byte[] bytes(byte[] file, Tensor tensor) {
        return Arrays.copyOfRange(file, (int) tensor.offset(), (int) (tensor.offset() + tensor.bytes()));
    }
}
