package io.hydra4j.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.hydra4j.format.TensorTable;
import io.hydra4j.format.TorchBytes;
import io.hydra4j.format.TorchFile;
import io.hydra4j.runtime.Backend;
import io.hydra4j.runtime.Matrix;
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
