package io.hydra4j.runtime;

import io.hydra4j.runtime.bindings.Native;
import io.hydra4j.runtime.bindings.hydra_stream;
import java.util.List;
import org.bytedeco.javacpp.Pointer;

/**
 * A stream of the device: programs of one stream run one after the other, those of different streams at the same time. That
 * is so on CUDA; on the CPU the programs of a backend run one at a time whatever their stream, which can be created there so
 * that the same code serves both. Thread-safe. What programs change or the host sets (batches, rows, trees, top entries) is used on
 * one stream at a time; weights, rotation angles and KV pools serve all streams.
 */
public final class Stream extends NativeObject {
    private final Handle<hydra_stream> handle;
    private final Backend backend;

    private Stream(Backend backend, Handle<hydra_stream> handle) {
        this.handle = handle;
        this.backend = backend;
    }

    @Override
    Handle<hydra_stream> handle() {
        return handle;
    }

    /**
     * Creates a stream that waits for no other one, the default stream included.
     *
     * @param backend on whose device it is
     * @return the stream, to be closed
     * @throws OutOfNativeMemoryException if the system refuses the memory
     */
    public static Stream create(Backend backend) {
        return new Stream(
                backend,
                Handle.create(
                        "stream",
                        new hydra_stream(),
                        out -> Native.hydra_stream_create(backend.handle().pointer(), out),
                        Native::hydra_stream_destroy,
                        List.of(backend.handle())));
    }

    /**
     * Wraps a stream of the caller's own, on CUDA alone. It stays the caller's, and must live until this one and all programs
     * on it are closed.
     *
     * @param backend on whose device it is
     * @param address a living {@code cudaStream_t} or {@code CUstream} of the primary context of the backend's device; anything
     *     else may end the process
     * @return the stream, to be closed
     * @throws NativeException with status {@code INVALID_ARGUMENT} if it is 0, which is the default stream, belongs to another
     *     device or context or is being captured, and on the CPU
     */
    public static Stream wrap(Backend backend, long address) {
        return new Stream(
                backend,
                Handle.create(
                        "wrapped stream",
                        new hydra_stream(),
                        out -> Native.hydra_stream_wrap(backend.handle().pointer(), new Memory(address, 0), out),
                        Native::hydra_stream_destroy,
                        List.of(backend.handle())));
    }

    /** @return the {@code cudaStream_t}, for work of the caller's own between programs; 0 on the CPU */
    public long address() {
        return handle.get(stream -> {
            Pointer pointer = Native.hydra_stream_native(stream);
            return pointer == null ? 0 : pointer.address();
        });
    }

    Backend backend() {
        return backend;
    }
}
