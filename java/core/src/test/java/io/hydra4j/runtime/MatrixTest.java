package io.hydra4j.runtime;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class MatrixTest {
    @TempDir
    Path folder;

    private final Backend backend = Backend.openCpu(1);

    @AfterEach
    void close() {
        backend.close();
    }

    /** [rows][64] whole numbers, which all types with a kernel but those of 4 bits keep exactly. */
    private static float[] values(int rows) {
        float[] values = new float[rows * 64];
        for (int i = 0; i < values.length; i++) {
            values[i] = i % 32 == 0 ? 127 : (i * 7) % 127;
        }
        return values;
    }

    private static float[] row(float[] values, int row) {
        float[] result = new float[64];
        System.arraycopy(values, row * 64, result, 0, 64);
        return result;
    }

    @ParameterizedTest
    @EnumSource(names = {"F32", "F16", "BF16", "Q8_0"})
    void keepsRows(WeightType type) {
        float[] values = values(5);
        try (Matrix matrix = Matrix.create(backend, type, 7, 64)) {
            matrix.write(1, values);
            assertArrayEquals(new float[64], matrix.read(0));
            for (int i = 0; i < 5; i++) {
                assertArrayEquals(row(values, i), matrix.read(1 + i));
            }
            assertTrue(matrix.bytes() >= type.bytes(7 * 64));
        }
    }

    @Test
    void isFilledFromASeed() {
        try (Matrix matrix = Matrix.create(backend, WeightType.F32, 3, 40);
                Matrix larger = Matrix.create(backend, WeightType.F32, 20, 70)) {
            matrix.fill(-5, 0.5f);
            larger.fill(-5, 0.5f);
            for (int row = 0; row < 3; row++) {
                float[] values = matrix.read(row);
                assertArrayEquals(values, Arrays.copyOf(larger.read(row), 40));
                for (float value : values) {
                    assertTrue(Math.abs(value) <= 0.5f);
                }
            }
            NativeException refused = assertThrows(NativeException.class, () -> matrix.fill(1, Float.NaN));
            assertEquals(NativeException.Status.INVALID_ARGUMENT, refused.status());
        }
    }

    @Test
    void takesRowsOfAFileInAnotherOrder() throws IOException {
        float[] values = values(3);
        byte[] packed = WeightType.Q8_0.encode(values);
        Path path = folder.resolve("gewichte-ä.bin");
        Files.write(path, concatenate(new byte[13], packed));
        try (MappedFile file = MappedFile.open(path);
                Matrix kept = Matrix.create(backend, WeightType.Q8_0, 3, 64);
                Matrix converted = Matrix.create(backend, WeightType.F32, 3, 64)) {
            kept.write(0, 3, new int[] {2, 0, 1}, WeightType.Q8_0.id(), file, 13, packed.length);
            converted.write(0, 3, null, WeightType.Q8_0.id(), file, 13, packed.length);
            assertArrayEquals(row(values, 0), kept.read(2));
            assertArrayEquals(row(values, 2), kept.read(1));
            assertArrayEquals(row(values, 1), converted.read(1));
            assertArrayEquals(values, file.floats(WeightType.Q8_0.id(), 13, packed.length, 3 * 64));

            assertThrows(
                    IllegalArgumentException.class,
                    () -> kept.write(0, 3, null, WeightType.Q8_0.id(), file, 14, packed.length));
            assertThrows(
                    IllegalArgumentException.class,
                    () -> kept.write(0, 3, new int[2], WeightType.Q8_0.id(), file, 13, packed.length));
            assertThrows(
                    NativeException.class,
                    () -> kept.write(0, 3, null, WeightType.Q8_0.id(), file, 13, packed.length - 1));
            assertThrows(
                    NativeException.class,
                    () -> kept.write(0, 3, new int[] {0, 1, 3}, WeightType.Q8_0.id(), file, 13, packed.length));
        }
    }

    private static byte[] concatenate(byte[] first, byte[] second) {
        return ByteBuffer.allocate(first.length + second.length)
                .put(first)
                .put(second)
                .array();
    }

    @Test
    void takesRowsOfAByteBuffer() {
        float[] values = values(2);
        byte[] packed = WeightType.F16.encode(values);
        try (Matrix matrix = Matrix.create(backend, WeightType.F16, 2, 64)) {
            matrix.write(0, 2, WeightType.F16, ByteBuffer.wrap(packed));
            assertArrayEquals(row(values, 1), matrix.read(1));
            assertThrows(
                    IllegalArgumentException.class, () -> matrix.write(0, 1, WeightType.F16, ByteBuffer.wrap(packed)));
        }
    }

    @Test
    void gathersRows() {
        float[] values = values(4);
        try (Matrix matrix = Matrix.create(backend, WeightType.Q8_0, 4, 64)) {
            matrix.write(0, values);
            try (Matrix gathered = matrix.gather(new int[] {3, 1, 3})) {
                assertEquals(3, gathered.rows());
                assertArrayEquals(row(values, 3), gathered.read(0));
                assertArrayEquals(row(values, 1), gathered.read(1));
                assertArrayEquals(row(values, 3), gathered.read(2));
            }
            assertThrows(NativeException.class, () -> matrix.gather(new int[] {4}));
        }
    }

    @Test
    void refusesShapesThatItCannotHave() {
        assertThrows(NativeException.class, () -> Matrix.create(backend, WeightType.Q6_K, 4, 128));
        assertThrows(NativeException.class, () -> Matrix.create(backend, WeightType.F32, 0, 8));
        try (Matrix matrix = Matrix.create(backend, WeightType.F32, 2, 8)) {
            assertThrows(IllegalArgumentException.class, () -> matrix.write(0, new float[9]));
            assertThrows(NativeException.class, () -> matrix.write(1, new float[16]));
            assertThrows(NativeException.class, () -> matrix.read(2));
        }
    }
}
