package io.hydra4j.runtime;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.golden.Cuda;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(Cuda.class)
class BackendCudaTest {
    @Test
    void autoTakesTheDeviceAndHasNothingToExplain() {
        try (Backend backend = Backends.open(BackendKind.AUTO, 1)) {
            assertEquals(BackendKind.CUDA, backend.kind());
            assertEquals("", backend.fallback());
            assertEquals(0, backend.threads());
            assertThrows(IllegalStateException.class, backend::isa);
        }
    }

    @Test
    void everyDeviceIsDescribed() {
        String text = Backends.describe();
        try (Backend backend = Backend.openCuda(0)) {
            assertTrue(text.contains("\ncuda 0: " + backend.description() + "\n"), text);
        }
    }

    @Test
    void theMemoryOfTheDeviceIsKnown() {
        try (Backend backend = Backend.openCuda(0)) {
            DeviceMemory memory = backend.memory();
            assertTrue(memory.freeBytes() > 0 && memory.freeBytes() <= memory.totalBytes(), memory.toString());
        }
    }

    @Test
    void hasKernelsForEveryTypeOfFiles() {
        try (Backend backend = Backend.openCuda(0)) {
            for (WeightType type : WeightType.values()) {
                assertEquals(type != WeightType.R8, backend.hasKernel(type), type.toString());
            }
        }
    }

    @Test
    void aDeviceThatIsNotThereIsRefused() {
        NativeException refused = assertThrows(NativeException.class, () -> Backend.openCuda(99));
        assertEquals(NativeException.Status.INVALID_ARGUMENT, refused.status());
        assertTrue(refused.getMessage().contains("device is 99"), refused.getMessage());
    }
}
