package io.hydra4j.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.hydra4j.HydraException;
import io.hydra4j.format.TensorTable;
import io.hydra4j.format.TorchBytes;
import io.hydra4j.format.TorchFile;
import io.hydra4j.runtime.Backend;
import io.hydra4j.runtime.Matrix;
import io.hydra4j.runtime.WeightType;
import java.nio.file.Path;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class WeightLoaderTest {
    @TempDir
    private Path folder;

    private TensorTable table() {
        long[] shape = {16, 32};
        return TorchFile.read(new TorchBytes()
                .tensor("other", "FloatStorage", shape)
                .tensor("a", "FloatStorage", shape)
                .alias("tied", "FloatStorage", 16 * 32, 0, shape, TorchBytes.contiguous(shape))
                .write(folder.resolve("weights.pt")));
    }

    @Test
    void namesOfTheSameBytesAreOneMatrix() {
        TensorTable table = table();
        int[] order = IntStream.range(0, 16).map(row -> 15 - row).toArray();
        try (Backend backend = Backend.openCpu(1);
                WeightLoader loader = new WeightLoader(backend, null, 0, fraction -> {})) {
            Matrix matrix = loader.matrix(table.require("a"));
            assertSame(matrix, loader.matrix(table.require("tied")));
            assertNotSame(matrix, loader.matrix(table.require("other")));
            Matrix reordered = loader.matrix(table.require("a"), order);
            assertNotSame(matrix, reordered);
            assertSame(reordered, loader.matrix(table.require("tied"), order));
        }
    }

    @Test
    void rowsTakeOneScaleWhereR8IsAskedFor() {
        try (Backend backend = Backend.openCpu(1);
                WeightLoader loader = new WeightLoader(backend, WeightType.R8, 0, fraction -> {});
                WeightLoader whole = new WeightLoader(backend, WeightType.F32, 0, fraction -> {})) {
            float[] row = whole.matrix(table().require("other")).read(3);
            Matrix matrix = loader.matrix(table().require("other"));
            assertEquals(WeightType.R8, matrix.type());
            float largest = 0;
            for (float value : row) {
                largest = Math.max(largest, Math.abs(value));
            }
            assertArrayEquals(row, matrix.read(3), largest / 127 * 0.51f);
        }
    }

    @Test
    void aTypeThatNothingIsConvertedToIsRefusedWithWhatToChoose() {
        try (Backend backend = Backend.openCpu(1)) {
            String message = assertThrows(
                            HydraException.class, () -> new WeightLoader(backend, WeightType.Q6_K, 0, fraction -> {}))
                    .getMessage();
            assertEquals(
                    "weights cannot be converted to Q6_K on the CPU backend: choose F32, F16, BF16, Q8_0, Q4_0 or Q4_1, or keep"
                            + " the file's type",
                    message);
        }
    }

    @Test
    void aMatrixOfSeveralNamesStaysWhereOneOfThemIsDone() {
        TensorTable table = table();
        try (Backend backend = Backend.openCpu(1);
                WeightLoader loader = new WeightLoader(backend, null, 0, fraction -> {})) {
            Matrix tied = loader.matrix(table.require("a"));
            loader.matrix(table.require("tied"));
            Matrix alone = loader.matrix(table.require("other"));
            loader.release(tied);
            loader.release(alone);
            assertEquals(0, tied.read(3)[0]);
            assertThrows(IllegalStateException.class, () -> alone.read(3));
        }
    }
}
