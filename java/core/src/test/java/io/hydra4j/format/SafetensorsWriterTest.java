package io.hydra4j.format;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SafetensorsWriterTest {
    @TempDir
    Path folder;

    @Test
    void whatIsWrittenIsReadAgain() throws IOException {
        Path file = folder.resolve("a.safetensors");
        byte[] values = {0, 0, (byte) 0x80, 0x3F, 0, 0, 0, 0x40};

        new SafetensorsWriter()
                .put("step", "17 \"steps\"")
                .tensor("vector", TensorType.BF16, List.of(3L), out -> out.write(new byte[6]))
                .tensor("matrix", TensorType.F32, List.of(2L, 1L), out -> {
                    out.write(values);
                    out.close();
                })
                .write(file);

        SafetensorsFile read = SafetensorsFile.read(file);
        assertEquals(Map.of("step", "17 \"steps\""), read.metadata());
        assertEquals(List.of("vector", "matrix"), List.copyOf(read.tensors().keySet()));
        Tensor matrix = read.table().require("matrix", 2, 1);
        assertEquals(TensorType.F32, matrix.type());
        assertEquals(0, (matrix.offset() - 6) % 8);
        byte[] bytes = Files.readAllBytes(file);
        assertArrayEquals(values, Arrays.copyOfRange(bytes, (int) matrix.offset(), bytes.length));
    }

    @Test
    void contentOfAnotherLengthLeavesNoFile() {
        Path file = folder.resolve("a.safetensors");
        SafetensorsWriter writer =
                new SafetensorsWriter().tensor("a", TensorType.F32, List.of(2L), out -> out.write(new byte[7]));

        assertThrows(IllegalStateException.class, () -> writer.write(file));

        assertFalse(Files.exists(file));
    }

    @Test
    void namesAreGivenOnceAndTypesAreFloats() {
        SafetensorsWriter writer =
                new SafetensorsWriter().put("a", "1").tensor("a", TensorType.F32, List.of(1L), out -> {});

        assertThrows(IllegalArgumentException.class, () -> writer.put("a", "2"));
        assertThrows(IllegalArgumentException.class, () -> writer.tensor("a", TensorType.F16, List.of(1L), out -> {}));
        assertThrows(
                IllegalArgumentException.class,
                () -> writer.tensor("__metadata__", TensorType.F16, List.of(1L), out -> {}));
        assertThrows(
                IllegalArgumentException.class, () -> writer.tensor("b", TensorType.Q8_0, List.of(32L), out -> {}));
    }
}
