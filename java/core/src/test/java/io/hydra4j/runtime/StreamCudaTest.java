package io.hydra4j.runtime;

import static io.hydra4j.runtime.StreamTest.refused;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.hydra4j.golden.Cuda;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** Streams and memory of a CUDA device, or of its emulation. */
@ExtendWith(Cuda.class)
class StreamCudaTest {
    private static Backend backend;

    @BeforeAll
    static void open() {
        backend = Backend.openCuda(0);
    }

    @AfterAll
    static void close() {
        if (backend != null) {
            backend.close();
        }
    }

    private static NormProgram norm(Stream stream) {
        return new NormProgram(backend, Program.create(stream));
    }

    private static float[] expected() {
        try (NormProgram plain = new NormProgram(backend, Program.create(backend))) {
            plain.program().run();
            return plain.result();
        }
    }

    @Test
    void threadsRunOnStreamsOfTheirOwn() throws Exception {
        float[] expected = expected();
        ExecutorService threads = Executors.newFixedThreadPool(3);
        try {
            List<Future<?>> sessions = new ArrayList<>();
            for (int i = 0; i < 3; i++) {
                sessions.add(threads.submit(() -> {
                    try (Stream stream = Stream.create(backend);
                            NormProgram norm = norm(stream)) {
                        for (int run = 0; run < 10; run++) {
                            norm.program().run();
                            assertArrayEquals(expected, norm.result());
                        }
                    }
                }));
            }
            for (Future<?> session : sessions) {
                session.get();
            }
        } finally {
            threads.shutdownNow();
        }
    }

    @Test
    void aProgramRunsOnTheCallersStreamAndMemory() {
        float[] expected = expected();
        try (Stream theirs = Stream.create(backend);
                Buffer theirX = Buffer.create(backend, NormProgram.BYTES);
                Buffer theirOut = Buffer.create(backend, NormProgram.BYTES)) {
            assertNotEquals(0, theirs.address());
            try (Stream stream = Stream.wrap(backend, theirs.address());
                    NormProgram norm = new NormProgram(
                            backend,
                            Program.create(stream),
                            Buffer.wrap(backend, theirX.address(), NormProgram.BYTES),
                            Buffer.wrap(backend, theirOut.address(), NormProgram.BYTES))) {
                assertEquals(theirs.address(), stream.address());
                norm.program().enqueue();
                norm.program().await();
            }
            assertArrayEquals(expected, theirOut.readFloats(0, NormProgram.COUNT));
        }
    }

    @Test
    void anEnqueuedProgramKeepsItsStateUntilItIsAwaited() {
        try (Stream stream = Stream.create(backend);
                NormProgram norm = norm(stream)) {
            norm.program().enqueue();
            norm.program().enqueue();
            refused("is enqueued: await it first", () -> norm.rows().setChain(0, new int[1]));
            refused("await it before it records more", norm.program()::mark);
            norm.program().await();
            norm.rows().setChain(0, new int[1]);
            assertEquals(2, norm.program().marks());
        }
    }

    @Test
    void aStreamOutlivesItsClosingWhileProgramsNeedIt() {
        float[] expected = expected();
        Stream stream = Stream.create(backend);
        NormProgram norm = norm(stream);
        stream.close();
        norm.program().run();
        assertArrayEquals(expected, norm.result());
        norm.program().enqueue();
        norm.close();
        assertThrows(IllegalStateException.class, norm.program()::await);
    }

    @Test
    void refusesWhatIsNotOfTheDevice() {
        try (Buffer buffer = Buffer.create(backend, 64)) {
            refused("the default stream", () -> Stream.wrap(backend, 0));
            refused("an argument is null", () -> Buffer.wrap(backend, 0, 16));
            refused("is not aligned to 16 bytes", () -> Buffer.wrap(backend, buffer.address() + 4, 16));
            refused("bytes is 0, must be positive", () -> Buffer.wrap(backend, buffer.address(), 0));
            refused("memory that CUDA does not know", () -> Buffer.wrap(backend, buffer.address(), 1L << 46));
        }
    }
}
