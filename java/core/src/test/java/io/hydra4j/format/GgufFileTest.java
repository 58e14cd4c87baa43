package io.hydra4j.format;

import static io.hydra4j.format.GgufBytes.bytes;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class GgufFileTest {
    @TempDir
    private Path folder;

    private Path path;

    @BeforeEach
    void nameFile() {
        path = folder.resolve("model.gguf");
    }

    @ParameterizedTest
    @ValueSource(ints = {2, 3})
    void readsBothVersions(int version) {
        var bytes = new GgufBytes().u32("a", 7).tensor("t", TensorType.F32, 3, 2);
        bytes.version = version;
        var file = GgufFile.read(bytes.write(path));
        assertEquals(version, file.version());
        assertEquals(7L, file.metadata().get("a"));
    }

    @Test
    void readsEveryKindOfValueInTheOrderOfTheFile() {
        var file = GgufFile.read(new GgufBytes()
                .raw("u8", bytes(0, (byte) -1))
                .raw("i8", bytes(1, (byte) -1))
                .raw("u16", bytes(2, (short) -1))
                .raw("i16", bytes(3, (short) -1))
                .raw("u32", bytes(4, -1))
                .raw("i32", bytes(5, -1))
                .raw("f32", bytes(6, 0.5f))
                .raw("bool", bytes(7, (byte) 1))
                .raw("string", bytes(8, "häß 你"))
                .raw("u64", bytes(10, Long.MAX_VALUE))
                .raw("i64", bytes(11, -1L))
                .raw("f64", bytes(12, 0.1))
                .write(path));
        assertEquals(
                List.of(255L, -1L, 65535L, -1L, 0xFFFF_FFFFL, -1L, 0.5, true, "häß 你", Long.MAX_VALUE, -1L, 0.1),
                List.copyOf(file.metadata().values()));
    }

    @Test
    void readsArraysOfEveryKind() {
        var metadata = GgufFile.read(new GgufBytes()
                        .strings("texts", "a", "", "ü")
                        .i32s("integers", 1, -2)
                        .f32s("numbers", 1.5f, Float.NaN)
                        .raw("flags", bytes(9, 7, 2L, (byte) 1, (byte) 0))
                        .write(path))
                .metadata();
        assertArrayEquals(new String[] {"a", "", "ü"}, (String[]) metadata.get("texts"));
        assertArrayEquals(new long[] {1, -2}, (long[]) metadata.get("integers"));
        assertArrayEquals(new double[] {1.5, Double.NaN}, (double[]) metadata.get("numbers"));
        assertArrayEquals(new boolean[] {true, false}, (boolean[]) metadata.get("flags"));
    }

    @Test
    void readsTextsLongerThanItsWindow() {
        var text = "x".repeat(700_000);
        var file = GgufFile.read(new GgufBytes()
                .string("before", "b")
                .string("long", text)
                .u32("after", 5)
                .write(path));
        assertEquals(List.of("b", text, 5L), List.copyOf(file.metadata().values()));
    }

    @Test
    void tellsShapeOutermostFirstAndOffsetFromTheBeginningOfTheFile() {
        var file = GgufFile.read(new GgufBytes()
                .tensor("matrix", TensorType.Q8_0, 64, 3)
                .tensor("vector", TensorType.F32, 5)
                .write(path));
        var matrix = file.tensors().get("matrix");
        var vector = file.tensors().get("vector");
        assertEquals(List.of(3L, 64L), matrix.shape());
        assertEquals(3, matrix.rows());
        assertEquals(64, matrix.columns());
        assertEquals(192, matrix.values());
        assertEquals(3 * 2 * 34, matrix.bytes());
        assertEquals(0, matrix.offset() % 32);
        assertEquals(matrix.offset() + 224, vector.offset());
        assertEquals(1, vector.rows());
    }

    @Test
    void placesTensorsByTheAlignmentThatTheFileStates() {
        var file = GgufFile.read(new GgufBytes()
                .u32("general.alignment", 8)
                .tensor("t", TensorType.F32, 1)
                .write(path));
        assertEquals(0, file.tensors().get("t").offset() % 8);
    }

    @Test
    void metadataAndTensorsCannotBeChanged() {
        var file = GgufFile.read(new GgufBytes().u32("a", 1).write(path));
        assertThrows(UnsupportedOperationException.class, () -> file.metadata().put("b", 1L));
        assertThrows(UnsupportedOperationException.class, () -> file.tensors().clear());
    }
}
