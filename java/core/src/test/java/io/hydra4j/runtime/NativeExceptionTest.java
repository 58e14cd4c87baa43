package io.hydra4j.runtime;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.runtime.NativeException.Status;
import io.hydra4j.runtime.bindings.Native;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class NativeExceptionTest {
    @BeforeAll
    static void load() {
        NativeLibrary.load();
    }

    @Test
    void carriesTheChainOfCauses() {
        NativeException exception =
                (NativeException) NativeException.of(Native.HYDRA_IO, "cannot load\ncannot map\nno such file");
        assertEquals(Status.IO, exception.status());
        assertEquals("cannot load: cannot map: no such file", exception.getMessage());
        assertEquals("cannot map: no such file", exception.getCause().getMessage());
        assertEquals("no such file", exception.getCause().getCause().getMessage());
        assertNull(exception.getCause().getCause().getCause());
    }

    @Test
    void hasATypeOfItsOwnForMemory() {
        assertInstanceOf(OutOfNativeMemoryException.class, NativeException.of(Native.HYDRA_OUT_OF_MEMORY, "no memory"));
    }

    @Test
    void namesTheArgumentThatIsWrong() {
        try (Backend backend = Backend.openCpu(1)) {
            NativeException exception = assertThrows(NativeException.class, () -> Batch.create(backend, -3, 1));
            assertEquals(Status.INVALID_ARGUMENT, exception.status());
            assertTrue(exception.getMessage().contains("-3"), exception.getMessage());
        }
    }

    @Test
    void reportsMemoryThatTheSystemRefuses() {
        try (Backend backend = Backend.openCpu(1)) {
            assertThrows(OutOfNativeMemoryException.class, () -> Buffer.create(backend, 1L << 46));
        }
    }

    @Test
    void reportsAFileThatIsNotThere() {
        NativeException exception =
                assertThrows(NativeException.class, () -> MappedFile.open(Path.of("/nowhere/weights.bin")));
        assertEquals(Status.IO, exception.status());
        assertTrue(exception.getMessage().contains("/nowhere/weights.bin"), exception.getMessage());
    }
}
