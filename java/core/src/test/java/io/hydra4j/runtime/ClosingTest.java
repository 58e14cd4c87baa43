package io.hydra4j.runtime;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

class ClosingTest {
    @Test
    void closingTwiceIsAllowed() {
        Backend backend = Backend.openCpu(1);
        Buffer buffer = Buffer.create(backend, 8);
        buffer.close();
        buffer.close();
        backend.close();
        backend.close();
    }

    @Test
    void usingAClosedObjectIsAnIllegalState() {
        try (Backend backend = Backend.openCpu(1)) {
            Buffer buffer = Buffer.create(backend, 8);
            Batch batch = Batch.create(backend, 1, 1);
            Program program = Program.create(backend);
            buffer.close();
            batch.close();
            program.close();
            IllegalStateException exception =
                    assertThrows(IllegalStateException.class, () -> buffer.write(0, new float[] {1}));
            assertEquals("the buffer of 8 bytes is closed", exception.getMessage());
            assertThrows(IllegalStateException.class, () -> batch.length(0));
            assertThrows(IllegalStateException.class, () -> PassRows.create(batch, 1));
            assertThrows(IllegalStateException.class, program::run);
            assertThrows(IllegalStateException.class, () -> program.time(0));
        }
    }

    @Test
    void nothingIsMadeFromAClosedBackend() {
        Backend backend = Backend.openCpu(1);
        backend.close();
        assertThrows(IllegalStateException.class, () -> Buffer.create(backend, 8));
        assertThrows(IllegalStateException.class, () -> backend.streamRate(1 << 20, 1));
    }

    @Test
    void anObjectOutlivesTheClosingOfItsBackend() {
        Backend backend = Backend.openCpu(2);
        try (Buffer buffer = Buffer.floats(backend, 2)) {
            backend.close();
            buffer.write(0, new float[] {1, 2});
            assertArrayEquals(new float[] {1, 2}, buffer.readFloats(0, 2));
        }
    }

    @Test
    void aProgramKeepsWhatItRecorded() {
        try (Backend backend = Backend.openCpu(1);
                Batch batch = Batch.create(backend, 1, 1);
                PassRows rows = PassRows.create(batch, 1);
                Program program = Program.create(backend);
                Buffer out = Buffer.floats(backend, 8)) {
            batch.setPages(0, new int[] {0});
            try (Matrix embedding = Matrix.create(backend, WeightType.F32, 3, 8)) {
                embedding.write(1, new float[] {1, 2, 3, 4, 5, 6, 7, 8});
                program.embed(rows, embedding, out);
            }
            rows.setChain(0, new int[] {1});
            program.run();
            assertArrayEquals(new float[] {1, 2, 3, 4, 5, 6, 7, 8}, out.readFloats(0, 8));
        }
    }

    @Test
    void anOperandThatIsClosedCannotBeRecorded() {
        try (Backend backend = Backend.openCpu(1);
                Batch batch = Batch.create(backend, 1, 1);
                PassRows rows = PassRows.create(batch, 1);
                Program program = Program.create(backend);
                Buffer out = Buffer.floats(backend, 8)) {
            Matrix embedding = Matrix.create(backend, WeightType.F32, 3, 8);
            embedding.close();
            assertThrows(IllegalStateException.class, () -> program.embed(rows, embedding, out));
        }
    }

    @Test
    void closingWhileOthersUseItIsSafe() throws Exception {
        ExecutorService threads = Executors.newFixedThreadPool(4);
        try (Backend backend = Backend.openCpu(1)) {
            for (int round = 0; round < 50; round++) {
                Buffer buffer = Buffer.floats(backend, 1024);
                CountDownLatch start = new CountDownLatch(1);
                List<Future<?>> users = new CopyOnWriteArrayList<>();
                for (int i = 0; i < 3; i++) {
                    users.add(threads.submit(() -> {
                        start.await();
                        try {
                            for (int j = 0; j < 1000; j++) {
                                buffer.readFloats(0, 1024);
                            }
                        } catch (IllegalStateException closed) {
                            assertTrue(closed.getMessage().contains("closed"));
                        }
                        return null;
                    }));
                }
                users.add(threads.submit(() -> {
                    start.await();
                    buffer.close();
                    return null;
                }));
                start.countDown();
                for (Future<?> user : users) {
                    user.get();
                }
            }
        } finally {
            threads.shutdownNow();
        }
    }

    @Test
    @Timeout(60)
    void aLostObjectIsReportedAndDestroyedAndOneThatWasClosedIsNotReported() throws InterruptedException {
        try (Warnings warnings = new Warnings();
                Backend backend = Backend.openCpu(1)) {
            Buffer.create(backend, 4321).close();
            lose(backend);
            warnings.await("a buffer of 1234 bytes was lost without close(): its memory was kept until now");
            assertFalse(warnings.toString().contains("4321"), warnings.toString());
        }
    }

    @Test
    @Timeout(60)
    void aLostGroupIsClosedInOrderAndReportedOnceInPlaceOfWhatItOwns() throws InterruptedException {
        try (Warnings warnings = new Warnings()) {
            List<String> closed = new CopyOnWriteArrayList<>();
            loseGroup(closed);
            warnings.await("a group made at io.hydra4j.runtime.ClosingTest.loseGroup(");
            while (closed.size() < 2) {
                Thread.sleep(1);
            }
            assertEquals(List.of("second", "first"), closed);
            System.gc();
            assertEquals(1, warnings.count("ClosingTest.loseGroup("), warnings.toString());
            assertEquals(0, warnings.count("buffer of 99 bytes"), warnings.toString());
        }
    }

    private static void loseGroup(List<String> closed) {
        new Resources("group that owns nothing");
        Resources group = new Resources("group");
        group.own((AutoCloseable) () -> closed.add("first"));
        Backend backend = group.own(Backend.openCpu(1));
        for (int i = 0; i < 10; i++) {
            group.own(Buffer.create(backend, 99));
        }
        group.own((AutoCloseable) () -> closed.add("second"));
    }

    private static void lose(Backend backend) {
        Buffer.create(backend, 1234).bytes();
    }
}
