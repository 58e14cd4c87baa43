package io.hydra4j.runtime;

import io.hydra4j.runtime.bindings.Native;
import io.hydra4j.runtime.bindings.hydra_buffer;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;

/**
 * Memory of a backend, 64-byte aligned unless it is the caller's, without a type of its own. It must not be read or written
 * while a program that uses it runs, nor between its being enqueued and awaited: reading and writing wait for no stream.
 */
public final class Buffer extends NativeObject {
    private final Handle<hydra_buffer> handle;
    private final long bytes;

    private Buffer(Handle<hydra_buffer> handle, long bytes) {
        this.handle = handle;
        this.bytes = bytes;
    }

    @Override
    Handle<hydra_buffer> handle() {
        return handle;
    }

    /**
     * Creates a buffer of zeros.
     *
     * @param backend in whose memory it lies
     * @param bytes its size, at least 1
     * @return the buffer, to be closed
     * @throws NativeException with status {@code INVALID_ARGUMENT} if the size is out of range
     * @throws OutOfNativeMemoryException if the system refuses the memory
     */
    public static Buffer create(Backend backend, long bytes) {
        return new Buffer(
                Handle.create(
                        "buffer of " + bytes + " bytes",
                        new hydra_buffer(),
                        out -> Native.hydra_buffer_create(backend.handle().pointer(), bytes, out),
                        Native::hydra_buffer_destroy,
                        List.of(backend.handle())),
                bytes);
    }

    /**
     * Wraps device memory of the caller's own, on CUDA alone. It stays the caller's, and must live until this buffer and all
     * programs that recorded it are closed. Where an operation's operands must not be the same buffer, they must not share
     * memory either.
     *
     * @param backend in whose memory it lies
     * @param address of memory of the backend's device, aligned to 16 bytes
     * @param bytes its size, at least 1
     * @return the buffer, to be closed
     * @throws NativeException with status {@code INVALID_ARGUMENT} if its first or last byte is memory of the host, of another
     *     device, managed, or unknown to CUDA, if it is not aligned, and on the CPU
     */
    public static Buffer wrap(Backend backend, long address, long bytes) {
        return new Buffer(
                Handle.create(
                        "wrapped buffer of " + bytes + " bytes",
                        new hydra_buffer(),
                        out -> Native.hydra_buffer_wrap(
                                backend.handle().pointer(), new Memory(address, bytes), bytes, out),
                        Native::hydra_buffer_destroy,
                        List.of(backend.handle())),
                bytes);
    }

    /**
     * Creates a buffer {@code float[count]} of zeros; errors as those of {@link #create}.
     *
     * @param backend in whose memory it lies
     * @param count values, at least 1
     * @return the buffer, to be closed
     */
    public static Buffer floats(Backend backend, long count) {
        return create(backend, Math.multiplyExact(count, (long) Float.BYTES));
    }

    /**
     * Creates a buffer {@code int32[count]} of zeros; errors as those of {@link #create}.
     *
     * @param backend in whose memory it lies
     * @param count values, at least 1
     * @return the buffer, to be closed
     */
    public static Buffer ints(Backend backend, long count) {
        return create(backend, Math.multiplyExact(count, (long) Integer.BYTES));
    }

    /** @return the address on the backend's device, for kernels of the caller's own; on the CPU one of the host */
    public long address() {
        return handle.get(buffer -> Native.hydra_buffer_pointer(buffer).address());
    }

    /** @return the size in bytes */
    public long bytes() {
        return bytes;
    }

    /**
     * Writes bytes.
     *
     * @param offset where to write, in bytes
     * @param source read from position to limit, its position becomes its limit
     * @throws NativeException with status {@code INVALID_ARGUMENT} if they do not lie in the buffer
     */
    public void write(long offset, ByteBuffer source) {
        int count = source.remaining();
        if (count > 0) {
            handle.check(buffer -> Memory.read(
                    source,
                    memory -> Native.hydra_buffer_write(buffer, offset, memory, count),
                    bytes -> Native.hydra_buffer_write(buffer, offset, bytes, count)));
            source.position(source.limit());
        }
    }

    /**
     * Reads bytes.
     *
     * @param offset where to read, in bytes
     * @param target filled from position to limit, its position becomes its limit; not read-only
     * @throws NativeException with status {@code INVALID_ARGUMENT} if they do not lie in the buffer
     */
    public void read(long offset, ByteBuffer target) {
        int count = target.remaining();
        if (count > 0) {
            handle.check(buffer -> Memory.write(
                    target,
                    memory -> Native.hydra_buffer_read(buffer, offset, memory, count),
                    bytes -> Native.hydra_buffer_read(buffer, offset, bytes, count)));
            target.position(target.limit());
        }
    }

    /**
     * Writes all values as 32-bit floats; as {@link #write(long, float[], int, int)}.
     *
     * @param index where to begin, counted in values
     * @param source the values
     */
    public void write(long index, float[] source) {
        write(index, source, 0, source.length);
    }

    /**
     * Writes 32-bit floats.
     *
     * @param index where to write, counted in floats
     * @param source the array to write from
     * @param from index of the first one in the array
     * @param count values to write
     * @throws IndexOutOfBoundsException if [from, from + count) does not lie in the source
     * @throws NativeException with status {@code INVALID_ARGUMENT} if the values do not lie in the buffer
     */
    public void write(long index, float[] source, int from, int count) {
        Objects.checkFromIndexSize(from, count, source.length);
        if (count > 0) {
            float[] values = count == source.length ? source : Arrays.copyOfRange(source, from, from + count);
            handle.check(buffer -> Native.hydra_buffer_write(
                    buffer, Math.multiplyExact(index, Float.BYTES), values, (long) count * Float.BYTES));
        }
    }

    /**
     * Reads so many 32-bit floats; as {@link #read(long, float[], int, int)}.
     *
     * @param index where to begin, counted in values
     * @param count values to read
     * @return [count]
     */
    public float[] readFloats(long index, int count) {
        float[] values = new float[count];
        read(index, values);
        return values;
    }

    /**
     * Reads 32-bit floats until the target is full; as {@link #read(long, float[], int, int)}.
     *
     * @param index where to begin, counted in values
     * @param target gets the values
     */
    public void read(long index, float[] target) {
        read(index, target, 0, target.length);
    }

    /**
     * Reads 32-bit floats.
     *
     * @param index where to read, counted in floats
     * @param target the array to read into
     * @param from index of the first one in the array
     * @param count values to read
     * @throws IndexOutOfBoundsException if [from, from + count) does not lie in the target
     * @throws NativeException with status {@code INVALID_ARGUMENT} if the values do not lie in the buffer
     */
    public void read(long index, float[] target, int from, int count) {
        Objects.checkFromIndexSize(from, count, target.length);
        if (count > 0) {
            float[] values = count == target.length ? target : new float[count];
            handle.check(buffer -> Native.hydra_buffer_read(
                    buffer, Math.multiplyExact(index, Float.BYTES), values, (long) count * Float.BYTES));
            if (values != target) {
                System.arraycopy(values, 0, target, from, count);
            }
        }
    }

    /**
     * Writes 32-bit integers.
     *
     * @param index where to write, counted in integers
     * @param source the values
     * @throws NativeException with status {@code INVALID_ARGUMENT} if they do not lie in the buffer
     */
    public void write(long index, int[] source) {
        if (source.length > 0) {
            handle.check(buffer -> Native.hydra_buffer_write(
                    buffer, Math.multiplyExact(index, Integer.BYTES), source, (long) source.length * Integer.BYTES));
        }
    }

    /**
     * Reads 32-bit integers until the target is full.
     *
     * @param index where to read, counted in integers
     * @param target gets the values
     * @throws NativeException with status {@code INVALID_ARGUMENT} if they do not lie in the buffer
     */
    public void read(long index, int[] target) {
        if (target.length > 0) {
            handle.check(buffer -> Native.hydra_buffer_read(
                    buffer, Math.multiplyExact(index, Integer.BYTES), target, (long) target.length * Integer.BYTES));
        }
    }
}
