package io.hydra4j;

import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.golden.Cuda;
import io.hydra4j.golden.Original;
import io.hydra4j.runtime.Backend;
import io.hydra4j.runtime.BackendKind;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

@ExtendWith(Cuda.class)
class OpenCloseCudaTest {
    /** A model that stays takes 17 MB in all: its sixteen sessions of 1024 positions and its weights. */
    private static final long MOST_LOSS = 64 << 20;

    @Test
    void openingAndClosingLeavesTheDevicesMemoryFree(@TempDir Path folder) {
        Path model = Original.withTokenizer(Original.variant(folder, List.of(257), 1024));
        try (Backend backend = Backend.openCuda(0)) {
            OpenCloseTest.openAndClose(model, BackendKind.CUDA, 1);
            long before = backend.memory().freeBytes();
            OpenCloseTest.openAndClose(model, BackendKind.CUDA, Cuda.emulated() ? 1 : 30);
            long lost = before - backend.memory().freeBytes();
            assertTrue(lost < MOST_LOSS, lost + " bytes of the device's memory were not given back");
        }
    }
}
