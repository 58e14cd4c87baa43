package io.hydra4j.runtime;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.HydraException;
import io.hydra4j.runtime.bindings.Native;
import org.junit.jupiter.api.Test;

class BackendTest {
    @Test
    void takesAThreadForEachCoreUnlessTold() {
        try (Backend backend = Backend.openCpu(0);
                Backend single = Backend.openCpu(1)) {
            assertEquals(Math.min(Cores.usable(), Backend.MAX_THREADS), backend.threads());
            assertEquals(1, single.threads());
        }
    }

    @Test
    void runsThePortableCodeEverywhere() {
        try (Backend backend = Backend.openCpu(1, InstructionSet.PORTABLE)) {
            assertEquals(InstructionSet.PORTABLE, backend.isa());
        }
    }

    @Test
    void thePropertyDecidesWhatAutoMeans() {
        String before = System.getProperty(InstructionSet.PROPERTY);
        try {
            System.setProperty(InstructionSet.PROPERTY, "portable");
            try (Backend backend = Backend.openCpu(1)) {
                assertEquals(InstructionSet.PORTABLE, backend.isa());
            }
            System.setProperty(InstructionSet.PROPERTY, "mmx");
            assertEquals(
                    "the system property hydra4j.isa is mmx, must be auto, amx, avx512, avx2 or portable",
                    assertThrows(HydraException.class, () -> Backend.openCpu(1)).getMessage());
        } finally {
            restore(InstructionSet.PROPERTY, before);
        }
    }

    @Test
    void aNumberOfThreadsOutOfRangeIsTheCallersMistake() {
        for (int threads : new int[] {-1, Backend.MAX_THREADS + 1}) {
            assertEquals(
                    "threads is " + threads + ", must be from 0 (one per core) to 256",
                    assertThrows(IllegalArgumentException.class, () -> Backend.openCpu(threads))
                            .getMessage());
        }
    }

    @Test
    void autoIsNeverTheAnswer() {
        try (Backend backend = Backend.openCpu(1)) {
            assertNotEquals(InstructionSet.AUTO, backend.isa());
        }
    }

    @Test
    void measuresTheStreamRate() {
        try (Backend backend = Backend.openCpu(1)) {
            assertTrue(backend.streamRate(1 << 20, 2) > 1e6);
        }
    }

    @Test
    void hasKernelsForEveryType() {
        try (Backend backend = Backend.openCpu(1)) {
            for (WeightType type : WeightType.values()) {
                assertTrue(backend.hasKernel(type), type.toString());
            }
        }
    }

    @Test
    void describesItself() {
        String text = Backends.describe();
        assertTrue(text.contains("native library: ABI version " + Native.HYDRA_ABI_VERSION + "\n"), text);
        assertTrue(text.contains("\ncpu: "), text);
        assertTrue(text.contains("\ncuda: "), text);
    }

    @Test
    void withoutTheCudaLibraryAutoIsTheCpuAndSaysWhyAndCudaFails() {
        String before = System.setProperty(CudaLibrary.PROPERTY, "/absent/libhydra4j_cuda.so");
        try {
            try (Backend backend = Backends.open(BackendKind.AUTO, 1)) {
                assertEquals(BackendKind.CPU, backend.kind());
                assertTrue(backend.fallback().contains("/absent/libhydra4j_cuda.so"), backend.fallback());
            }
            NativeException refused = assertThrows(NativeException.class, () -> Backends.open(BackendKind.CUDA, 1));
            assertEquals(NativeException.Status.UNAVAILABLE, refused.status());
            assertTrue(Backends.describe().contains("\ncuda: not available: "), Backends.describe());
        } finally {
            restore(CudaLibrary.PROPERTY, before);
        }
    }

    private static void restore(String property, String value) {
        if (value == null) {
            System.clearProperty(property);
        } else {
            System.setProperty(property, value);
        }
    }
}
