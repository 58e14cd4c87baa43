package io.hydra4j.runtime;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.runtime.NativeException.Status;
import org.junit.jupiter.api.Test;

class StreamTest {
    @Test
    void onTheCpuAProgramOfAStreamHasRunWhenItIsEnqueued() {
        try (Backend backend = Backend.openCpu(2);
                Stream stream = Stream.create(backend);
                NormProgram plain = new NormProgram(backend, Program.create(backend));
                NormProgram streamed = new NormProgram(backend, Program.create(stream))) {
            plain.program().run();
            streamed.program().enqueue();
            assertArrayEquals(plain.result(), streamed.result());
            streamed.rows().setChain(0, new int[] {1});
            streamed.program().await();
            assertEquals(0, stream.address());
        }
    }

    @Test
    void theCpuWrapsNothingOfTheCallers() {
        try (Backend backend = Backend.openCpu(1);
                Buffer buffer = Buffer.floats(backend, 4)) {
            refused("takes no stream of the caller's", () -> Stream.wrap(backend, 4096));
            refused("takes no memory of the caller's", () -> Buffer.wrap(backend, buffer.address(), 16));
        }
    }

    @Test
    void nothingIsMadeOnAClosedStream() {
        try (Backend backend = Backend.openCpu(1)) {
            Stream stream = Stream.create(backend);
            stream.close();
            stream.close();
            assertThrows(IllegalStateException.class, () -> Program.create(stream));
            assertThrows(IllegalStateException.class, stream::address);
        }
    }

    static void refused(String reason, Runnable call) {
        NativeException exception = assertThrows(NativeException.class, call::run);
        assertEquals(Status.INVALID_ARGUMENT, exception.status());
        assertTrue(exception.getMessage().contains(reason), exception.getMessage());
    }
}
