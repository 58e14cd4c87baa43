package io.hydra4j.runtime;

import io.hydra4j.runtime.bindings.Native;
import io.hydra4j.runtime.bindings.hydra_file;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.function.ToIntFunction;
import org.bytedeco.javacpp.Pointer;

/**
 * A whole file mapped for reading, from which weights are taken without a copy in the heap. Thread-safe. A file that another
 * process cuts short while it is mapped cannot be guarded against. What was written from it to matrices and buffers stays
 * when it is closed.
 */
public final class MappedFile extends NativeObject {
    private final Handle<hydra_file> handle;
    private final Path path;
    private final long size;
    private final long address;

    private MappedFile(Path path, Handle<hydra_file> handle) {
        this.handle = handle;
        this.path = path;
        this.size = handle.get(Native::hydra_file_bytes);
        this.address = handle.get(file -> {
            Pointer data = Native.hydra_file_data(file);
            return data == null ? 0 : data.address();
        });
    }

    @Override
    Handle<hydra_file> handle() {
        return handle;
    }

    /**
     * Maps a file.
     *
     * @param path a file of at least one byte; it must not get shorter while it is mapped
     * @return the file, to be closed
     * @throws NativeException with status {@code IO} if the file cannot be opened or mapped
     * @throws LibraryLoadException if the native library cannot be loaded
     */
    public static MappedFile open(Path path) {
        NativeLibrary.load();
        // The bytes that the JVM itself would hand to the system for this path, and a terminating zero.
        Charset charset = Charset.forName(System.getProperty("sun.jnu.encoding", StandardCharsets.UTF_8.name()));
        byte[] encoded = path.toAbsolutePath().toString().getBytes(charset);
        byte[] name = Arrays.copyOf(encoded, encoded.length + 1);
        return new MappedFile(
                path,
                Handle.create(
                        "mapping of " + path,
                        new hydra_file(),
                        out -> Native.hydra_file_map(name, out),
                        Native::hydra_file_unmap,
                        List.of()));
    }

    /** @return the path that was opened */
    public Path path() {
        return path;
    }

    /** @return the size in bytes */
    public long size() {
        return size;
    }

    /**
     * Reads values as 32-bit floats.
     *
     * @param type number of their type in the file, as {@link WeightType#id()}
     * @param offset where they begin in the file, in bytes
     * @param bytes exactly what they need
     * @param values their number, a multiple of the type's block
     * @return [values]
     * @throws IllegalArgumentException if the bytes do not lie in the file
     * @throws ArithmeticException if there are more values than an array holds
     * @throws NativeException with status {@code INVALID_ARGUMENT} if the bytes are not what the values need
     */
    public float[] floats(int type, long offset, long bytes, long values) {
        float[] target = new float[Math.toIntExact(values)];
        read(
                offset,
                bytes,
                source -> Native.hydra_convert(
                        type, source, bytes, WeightType.F32.id(), target, values * Float.BYTES, values));
        return target;
    }

    /**
     * Hands a region to a native call.
     *
     * @param call returns the call's status
     * @throws IllegalArgumentException if the region does not lie in the file
     * @throws NativeException if the call fails
     */
    void read(long offset, long bytes, ToIntFunction<Pointer> call) {
        if (offset < 0 || bytes < 0 || bytes > size || offset > size - bytes) {
            throw new IllegalArgumentException(
                    "[" + offset + ", +" + bytes + ") does not lie in " + path + ", which has " + size + " bytes");
        }
        handle.check(file -> call.applyAsInt(new Memory(address + offset, bytes)));
    }
}
