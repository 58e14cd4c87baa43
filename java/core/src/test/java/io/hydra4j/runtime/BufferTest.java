package io.hydra4j.runtime;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.hydra4j.runtime.NativeException.Status;
import java.nio.ByteBuffer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class BufferTest {
    private final Backend backend = Backend.openCpu(1);

    @AfterEach
    void close() {
        backend.close();
    }

    @Test
    void isZeroAtFirst() {
        try (Buffer buffer = Buffer.floats(backend, 5)) {
            assertEquals(20, buffer.bytes());
            assertArrayEquals(new float[5], buffer.readFloats(0, 5));
        }
    }

    @Test
    void keepsFloats() {
        try (Buffer buffer = Buffer.floats(backend, 6)) {
            buffer.write(1, new float[] {9, 1, 2, 3, 9}, 1, 3);
            float[] values = {7, 7, 7, 7, 7};
            buffer.read(1, values, 1, 3);
            assertArrayEquals(new float[] {7, 1, 2, 3, 7}, values);
            assertArrayEquals(new float[] {0, 1, 2, 3, 0, 0}, buffer.readFloats(0, 6));
        }
    }

    @Test
    void keepsIntegers() {
        try (Buffer buffer = Buffer.ints(backend, 4)) {
            buffer.write(2, new int[] {Integer.MIN_VALUE, 77});
            int[] values = new int[4];
            buffer.read(0, values);
            assertArrayEquals(new int[] {0, 0, Integer.MIN_VALUE, 77}, values);
        }
    }

    @Test
    void takesBytesFromEveryKindOfByteBuffer() {
        byte[] bytes = {0, 1, 2, 3, 4, 5, 6, 7};
        ByteBuffer array = ByteBuffer.wrap(bytes, 2, 4);
        ByteBuffer slice =
                ByteBuffer.wrap(bytes).position(1).slice().position(1).limit(5);
        ByteBuffer direct = ByteBuffer.allocateDirect(8).put(bytes).position(2).limit(6);
        for (ByteBuffer source : new ByteBuffer[] {
            array,
            slice,
            direct,
            array.duplicate().asReadOnlyBuffer(),
            direct.duplicate().asReadOnlyBuffer()
        }) {
            try (Buffer buffer = Buffer.create(backend, 8)) {
                buffer.write(3, source);
                assertEquals(0, source.remaining());
                ByteBuffer target = ByteBuffer.allocate(10).position(1).slice().position(1);
                buffer.read(0, target);
                assertEquals(0, target.remaining());
                target.position(1);
                byte[] read = new byte[8];
                target.get(read);
                assertArrayEquals(new byte[] {0, 0, 0, 2, 3, 4, 5, 0}, read);
            }
        }
    }

    @Test
    void takesNothing() {
        try (Buffer buffer = Buffer.create(backend, 4)) {
            buffer.write(0, new float[0]);
            buffer.write(0, new int[0]);
            buffer.write(0, ByteBuffer.allocate(0));
            assertEquals(0, buffer.readFloats(0, 0).length);
        }
    }

    @Test
    void refusesWhatDoesNotLieInIt() {
        try (Buffer buffer = Buffer.floats(backend, 2)) {
            refused(() -> buffer.write(1, new float[] {1, 2}));
            refused(() -> buffer.write(-1, new float[] {1}));
            refused(() -> buffer.readFloats(2, 1));
            refused(() -> buffer.readFloats(Long.MAX_VALUE / 4, 1));
            assertThrows(ArithmeticException.class, () -> buffer.readFloats(Long.MAX_VALUE, 1));
            assertThrows(IndexOutOfBoundsException.class, () -> buffer.write(0, new float[2], 1, 2));
            refused(() -> Buffer.create(backend, 0));
        }
    }

    private static void refused(Runnable action) {
        assertEquals(
                Status.INVALID_ARGUMENT,
                assertThrows(NativeException.class, action::run).status());
    }
}
