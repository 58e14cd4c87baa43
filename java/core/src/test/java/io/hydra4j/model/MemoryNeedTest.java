package io.hydra4j.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.InsufficientMemoryException;
import io.hydra4j.format.Tensor;
import io.hydra4j.format.TensorType;
import io.hydra4j.golden.Original;
import io.hydra4j.runtime.Backend;
import io.hydra4j.runtime.KvPool;
import io.hydra4j.runtime.KvType;
import io.hydra4j.runtime.WeightType;
import io.hydra4j.runtime.Workspace;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MemoryNeedTest {
    private static final long GIB = 1L << 30;

    private final Backend backend = Backend.openCpu(1);

    @AfterEach
    void close() {
        backend.close();
    }

    private MemoryNeed need(Path folder, int context) {
        ModelFiles files = ModelFiles.open(Original.variant(folder, List.of(257), context));
        return MemoryNeed.of(backend, files, WeightType.F32, KvType.AUTO);
    }

    @Test
    void aByteLessThanTheNeedIsRefusedAndTheNeedIsNot(@TempDir Path folder) {
        MemoryNeed need = need(folder, 1024);
        need.require(need.bytes());
        InsufficientMemoryException refused =
                assertThrows(InsufficientMemoryException.class, () -> need.require(need.bytes() - 1));
        assertEquals(need.bytes(), refused.neededBytes());
        assertEquals(need.bytes() - 1, refused.freeBytes());
    }

    @Test
    void severalNamesOfTheSameBytesCountOnce(@TempDir Path folder) {
        Tensor weight = new Tensor(folder, "a", TensorType.BF16, List.of(64L, 64L), 128, 2 * 64 * 64);
        Tensor alias = new Tensor(folder, "b", TensorType.BF16, List.of(64L, 64L), 128, 2 * 64 * 64);
        Tensor other = new Tensor(folder, "c", TensorType.BF16, List.of(64L, 64L), 128 + 64, 2 * 64 * 64);
        ModelFiles files = ModelFiles.open(Original.variant(folder, List.of(257), 1024));
        MemoryNeed need = MemoryNeed.of(backend, files, null, KvType.AUTO);
        long one = need.addHeads(List.of(weight), null, files.config()).headsBytes();
        assertEquals(
                one, need.addHeads(List.of(weight, alias), null, files.config()).headsBytes());
        assertEquals(
                one + 2 * 64 * 64,
                need.addHeads(List.of(weight, other), null, files.config()).headsBytes());
    }

    @Test
    void aShorterContextNeedsLess(@TempDir Path folder) {
        Path model = Original.variant(folder, List.of(257), 1 << 20);
        MemoryNeed whole = MemoryNeed.of(backend, ModelFiles.open(model), WeightType.F32, KvType.AUTO);
        MemoryNeed part = MemoryNeed.of(backend, ModelFiles.open(model, 1 << 10), WeightType.F32, KvType.AUTO);
        long positions = (1 << 20) - (1 << 10);
        // 512 bytes of keys and values a position, twice 64 of angles, 4 of tokens that were drawn.
        long scores = whole.parts().get("workspace") - part.parts().get("workspace");
        assertEquals(positions * (512 + 2 * 64 + 4) + scores, whole.bytes() - part.bytes());
    }

    @Test
    void theRefusalNamesTheLargestPartAndARemedy(@TempDir Path folder) {
        // 2 layers of 2 heads of 16 keys and values in float32 are 512 bytes a position.
        MemoryNeed need = need(folder, 1 << 21);
        InsufficientMemoryException refused =
                assertThrows(InsufficientMemoryException.class, () -> need.require(GIB / 2));
        assertTrue(
                refused.getMessage()
                        .matches("the model needs 1\\.\\d\\d GiB of the GPU's memory and 0\\.50 GiB are free.*"),
                refused.getMessage());
        assertTrue(
                refused.getMessage()
                        .contains("keys and values of one session with 1.00 GiB: open the model with a shorter context,"
                                + " keep them in f16 (kv), or use the CPU"),
                refused.getMessage());
    }

    @Test
    void aSessionThatSamplesHasTheLogitsOfATree(@TempDir Path folder) {
        ModelFiles files = ModelFiles.open(Original.variant(folder, List.of(257), 1024));
        long need =
                MemoryNeed.of(backend, files, WeightType.F32, KvType.AUTO, 1).bytes();
        long activations = PassBuffers.bytes(files.config(), PassBuffers.promptRows(backend, 1024));
        long weights = files.tensors().all().stream()
                .mapToLong(it -> it.values() * Float.BYTES)
                .sum();
        long logits = 64L * files.config().vocabulary() * Float.BYTES;

        long page = 512L * KvPool.PAGE_POSITIONS;

        assertTrue(need >= page + activations + weights + logits, need + " bytes");
    }

    @Test
    void narrowMatricesAreCountedInWholeTiles(@TempDir Path folder) {
        long without = heads(folder, List.of()).headsBytes();
        Tensor column = new Tensor(folder, "w", TensorType.BF16, List.of(1001L, 1L), 0, 2002);
        Tensor row = new Tensor(folder, "w", TensorType.BF16, List.of(1L, 1001L), 0, 2002);
        assertEquals(without + 1008 * 32 * 2, heads(folder, List.of(column)).headsBytes());
        assertEquals(without + 16 * 1024 * 2, heads(folder, List.of(row)).headsBytes());
    }

    private MemoryNeed heads(Path folder, List<Tensor> tensors) {
        ModelFiles files = ModelFiles.open(Original.base());
        return MemoryNeed.of(backend, files, null, KvType.AUTO).addHeads(tensors, null, files.config());
    }

    @Test
    void whatTheBackendSetsAsideIsOfTheModelsShapesAndItsHeads(@TempDir Path folder) {
        MemoryNeed need = need(folder, 1024);
        // 2 heads of 16; matrices of at most 257 rows and 128 columns; 1024 positions and a tree of 64 nodes.
        assertEquals(
                backend.workspace(new Workspace.Limits(64, 257, 128, 4, 16, 1088))
                        .bytes(),
                need.parts().get("workspace"));
        assertEquals(2L * 1024 * 16 * 4, need.parts().get("rotation angles"));
        Tensor wide = new Tensor(folder, "w", TensorType.BF16, List.of(64L, 4096L), 0, 2 * 64 * 4096);
        ModelFiles files = ModelFiles.open(Original.base());
        need.addHeads(List.of(wide), null, files.config());
        assertEquals(
                backend.workspace(new Workspace.Limits(
                                64,
                                257,
                                4096,
                                4,
                                16,
                                DecoderModel.pagesFor(files.config().context()) * KvPool.PAGE_POSITIONS))
                        .bytes(),
                need.parts().get("workspace"));
    }

    @Test
    void theCpuIsNotAsked(@TempDir Path folder) {
        need(folder, 1 << 21).require();
    }
}
