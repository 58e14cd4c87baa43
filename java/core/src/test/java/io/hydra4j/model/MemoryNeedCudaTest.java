package io.hydra4j.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.InsufficientMemoryException;
import io.hydra4j.format.Tensor;
import io.hydra4j.golden.Cuda;
import io.hydra4j.golden.Original;
import io.hydra4j.runtime.Activation;
import io.hydra4j.runtime.Backend;
import io.hydra4j.runtime.KvType;
import io.hydra4j.runtime.WeightType;
import java.util.List;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(Cuda.class)
class MemoryNeedCudaTest {
    @Test
    void whatTheDeviceHasNotFreeIsRefusedBeforeItIsLoaded() {
        ModelFiles files = ModelFiles.open(Original.base());
        try (Backend backend = Backend.openCuda(0)) {
            MemoryNeed need = MemoryNeed.of(backend, files, null, KvType.AUTO);
            need.require();
            Tensor tensor = files.tensors().embedding();
            int copies = (int) (backend.memory().totalBytes() / tensor.bytes()) + 1;
            // Each with a place of its own: those with the same bytes are loaded once.
            List<Tensor> others = LongStream.range(0, copies)
                    .mapToObj(i -> new Tensor(
                            tensor.file(),
                            tensor.name(),
                            tensor.type(),
                            tensor.shape(),
                            i * tensor.bytes(),
                            tensor.bytes()))
                    .toList();
            need.addHeads(others, null, files.config());
            InsufficientMemoryException refused = assertThrows(InsufficientMemoryException.class, need::require);
            assertEquals(need.bytes(), refused.neededBytes());
            assertTrue(refused.freeBytes() <= backend.memory().totalBytes(), refused.getMessage());
            assertTrue(refused.getMessage().contains("draft heads"), refused.getMessage());
        }
    }

    @Test
    void keysAndValuesAreHalvesUnlessTheMatricesAreFloats() {
        ModelFiles files = ModelFiles.open(Original.base());
        DecoderConfig config = files.config();
        try (Backend backend = Backend.openCuda(0)) {
            assertEquals(WeightType.F16, DecoderModel.kvType(KvType.AUTO, backend, files.tensors(), WeightType.Q8_0));
            assertEquals(WeightType.F32, DecoderModel.kvType(KvType.AUTO, backend, files.tensors(), WeightType.F32));
            long halves = MemoryNeed.sessionBytes(config, WeightType.F16);
            // 2 layers of 2 heads of 16 keys and values are 256 bytes a position; a whole tree lies after the context.
            assertEquals((config.context() + 64) * 256L, halves);
            assertEquals(2 * halves, MemoryNeed.sessionBytes(config, WeightType.F32));
            // Matrices, of whole tiles of 16 x 32, take half as halves, and so do keys and values then.
            long matrices = files.tensors().all().stream()
                    .filter(tensor -> tensor.shape().size() == 2)
                    .mapToLong(tensor -> roundUp(tensor.rows(), 16) * roundUp(tensor.columns(), 32))
                    .sum();
            assertEquals(
                    2 * matrices + halves,
                    MemoryNeed.of(backend, files, WeightType.F32, KvType.AUTO).bytes()
                            - MemoryNeed.of(backend, files, WeightType.F16, KvType.AUTO)
                                    .bytes());
        }
        try (Backend cpu = Backend.openCpu(1)) {
            assertEquals(WeightType.F32, DecoderModel.kvType(KvType.AUTO, cpu, files.tensors(), WeightType.Q8_0));
        }
    }

    @Test
    void aSessionsGraphsHaveListsOfTasksWhereHeadsHave64Values() {
        DecoderConfig small = config(64);
        DecoderConfig other = config(48);
        try (Backend backend = Backend.openCuda(0)) {
            // 15 graphs of 30 layers of 6 tasks.
            long task = MemoryNeed.workspace(backend, small, List.of()).task();
            assertTrue(task > 0);
            assertEquals(15 * 30 * 6 * task, setAsideBesideWorkspace(backend, small) - MemoryNeed.DRIVER);
            assertEquals(MemoryNeed.DRIVER, setAsideBesideWorkspace(backend, other));
            ModelFiles files = ModelFiles.open(Original.base());
            assertEquals(
                    0L, MemoryNeed.of(backend, files, null, KvType.AUTO).parts().get("lists of tasks"));
        }
    }

    private static DecoderConfig config(int headSize) {
        return new DecoderConfig(
                30, 576, 9, 3, headSize, 1536, 1000, 64, 10000, 1e-5f, Activation.SILU, true, 1, List.of(2));
    }

    private static long setAsideBesideWorkspace(Backend backend, DecoderConfig config) {
        return MemoryNeed.setAside(backend, config, List.of())
                - MemoryNeed.workspace(backend, config, List.of()).bytes();
    }

    private static long roundUp(long value, long unit) {
        return (value + unit - 1) / unit * unit;
    }
}
