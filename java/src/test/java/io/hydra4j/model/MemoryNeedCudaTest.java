package io.hydra4j.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.format.Tensor;
import io.hydra4j.golden.Cuda;
import io.hydra4j.golden.Original;
import io.hydra4j.runtime.Backend;
import java.util.Collections;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(Cuda.class)
class MemoryNeedCudaTest {
    @Test
    void whatTheDeviceHasNotFreeIsRefusedBeforeItIsLoaded() {
        ModelFiles files = ModelFiles.open(Original.base());
        MemoryNeed need = MemoryNeed.of(files, null);
        try (Backend backend = Backend.openCuda(0)) {
            need.require(backend);
            Tensor tensor = files.tensors().embedding();
            int copies = (int) (backend.memory().totalBytes() / tensor.bytes()) + 1;
            need.addHeads(Collections.nCopies(copies, tensor), null, files.config());
            InsufficientMemoryException refused =
                    assertThrows(InsufficientMemoryException.class, () -> need.require(backend));
            assertEquals(need.bytes(), refused.neededBytes());
            assertTrue(refused.freeBytes() <= backend.memory().totalBytes(), refused.getMessage());
            assertTrue(refused.getMessage().contains("draft heads"), refused.getMessage());
        }
    }
}
