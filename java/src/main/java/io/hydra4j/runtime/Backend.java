package io.hydra4j.runtime;

import io.hydra4j.runtime.bindings.Native;
import io.hydra4j.runtime.bindings.hydra_backend;
import java.util.List;

/** The device that runs programs, with its thread team. Thread-safe; programs of one backend run one at a time. */
public final class Backend implements AutoCloseable {
    /** Largest thread team. */
    public static final int MAX_THREADS = 256;

    private final Handle<hydra_backend> handle;
    private final InstructionSet isa;
    private final int threads;

    private Backend(Handle<hydra_backend> handle) {
        this.handle = handle;
        this.isa = handle.get(pointer -> InstructionSet.ofNativeName(Native.hydra_backend_isa(pointer)));
        this.threads = handle.get(Native::hydra_backend_threads);
    }

    /**
     * Opens the CPU backend with the best instruction set; as {@link #openCpu(int, InstructionSet)}.
     *
     * @param threads size of the thread team; 0 for one per available processor
     */
    public static Backend openCpu(int threads) {
        return openCpu(threads, InstructionSet.AUTO);
    }

    /**
     * Opens the CPU backend.
     *
     * @param threads size of the team, 1 to {@value #MAX_THREADS}, the thread that calls {@link Program#run()} included; 0 for
     *     one per available processor
     * @throws LibraryLoadException if the native library cannot be loaded
     * @throws NativeException with status {@code INVALID_ARGUMENT} if the number of threads is out of range, and with
     *     {@code UNAVAILABLE} if the processor lacks the instruction set
     */
    public static Backend openCpu(int threads, InstructionSet isa) {
        NativeLibrary.load();
        int team = threads == 0 ? Math.min(Runtime.getRuntime().availableProcessors(), MAX_THREADS) : threads;
        String name = isa.nativeName();
        return new Backend(Handle.create(
                "CPU backend",
                new hydra_backend(),
                out -> Native.hydra_backend_open_cpu(team, name, out),
                Native::hydra_backend_close,
                List.of()));
    }

    /** @return the instruction set in use, never {@link InstructionSet#AUTO} */
    public InstructionSet isa() {
        return isa;
    }

    /** @return the size of the thread team */
    public int threads() {
        return threads;
    }

    /**
     * Measures the rate at which all threads together read memory, in bytes per second: the best of the repeats.
     *
     * @param bytes size of the memory that is read; several times the last-level cache, to measure memory and not cache
     * @param repeats number of timings, at least 1
     * @throws NativeException if an argument is out of range or there is not enough memory
     */
    public double streamRate(long bytes, int repeats) {
        double[] rate = new double[1];
        handle.check(pointer -> Native.hydra_backend_stream_rate(pointer, bytes, repeats, rate));
        return rate[0];
    }

    /** Closes the backend; its threads end when everything that was made from it is closed too. */
    @Override
    public void close() {
        handle.close();
    }

    Handle<hydra_backend> handle() {
        return handle;
    }
}
