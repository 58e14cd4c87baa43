package io.hydra4j.runtime;

import io.hydra4j.HydraException;
import io.hydra4j.runtime.bindings.Native;
import io.hydra4j.runtime.bindings.hydra_backend;
import io.hydra4j.runtime.bindings.hydra_limits;
import io.hydra4j.runtime.bindings.hydra_workspace;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.util.List;
import org.bytedeco.javacpp.Pointer;

/**
 * The device that runs programs. Thread-safe; programs of one backend run one at a time, on CUDA those of one {@link Stream}.
 * What is made from a backend can be used with things of the same backend only. The threads of a closed backend end when
 * everything that was made from it is closed too.
 */
public final class Backend extends NativeObject {
    /** Largest thread team. */
    public static final int MAX_THREADS = 256;

    private final Handle<hydra_backend> handle;
    private final BackendKind kind;
    private final String description;
    private final String fallback;
    private final InstructionSet isa;
    private final int threads;

    private Backend(Handle<hydra_backend> handle, BackendKind kind, String fallback) {
        this.handle = handle;
        this.kind = kind;
        this.fallback = fallback;
        this.description = handle.get(Native::hydra_backend_description);
        this.isa = kind == BackendKind.CPU
                ? handle.get(pointer -> InstructionSet.ofNativeName(Native.hydra_backend_isa(pointer)))
                : null;
        this.threads = handle.get(Native::hydra_backend_threads);
    }

    @Override
    Handle<hydra_backend> handle() {
        return handle;
    }

    /**
     * Opens the CPU backend with the best instruction set; as {@link #openCpu(int, InstructionSet)}.
     *
     * @param threads size of the thread team; 0 for one per core that the process may use, as far as the quota of its
     *     control group goes
     * @return the backend, to be closed
     */
    public static Backend openCpu(int threads) {
        return openCpu(threads, InstructionSet.AUTO);
    }

    /**
     * Opens the CPU backend.
     *
     * @param threads size of the team, 1 to {@value #MAX_THREADS}, the thread that calls {@link Program#run()} included; 0 for
     *     one per core that the process may use, as far as the quota of its control group goes
     * @param isa vector instructions to use; {@link InstructionSet#AUTO} for the best that the processor has
     * @return the backend, to be closed
     * @throws LibraryLoadException if the native library cannot be loaded
     * @throws IllegalArgumentException if the number of threads is out of range
     * @throws HydraException if the system property {@value InstructionSet#PROPERTY} names no instruction set
     * @throws NativeException with status {@code UNAVAILABLE} if the processor lacks the instruction set
     */
    public static Backend openCpu(int threads, InstructionSet isa) {
        return openCpu(threads, isa, "");
    }

    /** @param fallback why this is not a better backend; empty if the CPU was asked for */
    static Backend openCpu(int threads, InstructionSet isa, String fallback) {
        if (threads < 0 || threads > MAX_THREADS) {
            throw new IllegalArgumentException(
                    "threads is " + threads + ", must be from 0 (one per core) to " + MAX_THREADS);
        }
        NativeLibrary.load();
        int team = threads == 0 ? Math.min(Cores.usable(), MAX_THREADS) : threads;
        String name = isa.nativeName();
        return new Backend(
                Handle.create(
                        "CPU backend",
                        new hydra_backend(),
                        out -> Native.hydra_backend_open_cpu(team, name, out),
                        Native::hydra_backend_close,
                        List.of()),
                BackendKind.CPU,
                fallback);
    }

    /**
     * Opens the CUDA backend.
     *
     * @param device number of the device, 0 being the first
     * @return the backend, to be closed
     * @throws LibraryLoadException if the native library cannot be loaded
     * @throws NativeException with status {@code UNAVAILABLE} and the reason if the CUDA library or the driver is missing or
     *     does not fit, there is no device, or the device is too old, and with {@code INVALID_ARGUMENT} if there are fewer devices
     */
    public static Backend openCuda(int device) {
        String library = CudaLibrary.path();
        return new Backend(
                Handle.create(
                        "CUDA backend",
                        new hydra_backend(),
                        out -> Native.hydra_backend_open_cuda(library, device, out),
                        Native::hydra_backend_close,
                        List.of()),
                BackendKind.CUDA,
                "");
    }

    /** @return what computes, never {@link BackendKind#AUTO} */
    public BackendKind kind() {
        return kind;
    }

    /** @return the device in one line */
    public String description() {
        return description;
    }

    /** @return why CUDA is not used although it would have been chosen, in one line; empty if there is nothing to tell */
    public String fallback() {
        return fallback;
    }

    /**
     * {@return the memory of the device} On the CPU what the system can give without swapping, caches of files that it drops for that
     * included, as far as the control groups of the process go.
     *
     * @throws NativeException if the device does not answer
     */
    public DeviceMemory memory() {
        long[] free = new long[1];
        long[] total = new long[1];
        handle.check(pointer -> Native.hydra_backend_memory(pointer, free, total));
        return new DeviceMemory(free[0], total[0]);
    }

    /**
     * {@return what the backend sets aside where programs stay within limits} Nothing is allocated.
     *
     * @param limits of the programs
     * @throws NativeException if a limit is out of range
     */
    public Workspace workspace(Workspace.Limits limits) {
        // Allocated by JavaCPP they would be subject to JavaCPP's limits on memory.
        ByteBuffer memory = ByteBuffer.allocateDirect(2 * STRUCT_BYTES);
        long address = new Pointer(memory).address();
        try (hydra_limits most = new hydra_limits(new Memory(address, STRUCT_BYTES));
                hydra_workspace found = new hydra_workspace(new Memory(address + STRUCT_BYTES, STRUCT_BYTES))) {
            most.rows(limits.rows())
                    .matrix_rows(limits.matrixRows())
                    .matrix_columns(limits.matrixColumns())
                    .heads(limits.heads())
                    .head_size(limits.headSize())
                    .positions(limits.positions());
            handle.check(pointer -> Native.hydra_backend_workspace(pointer, most, found));
            return new Workspace(
                    found.products(),
                    found.tops(),
                    found.attention(),
                    found.judging(),
                    found.handover(),
                    found.bytes(),
                    found.task());
        } finally {
            Reference.reachabilityFence(memory);
        }
    }

    /** More than limits, or a workspace, take. */
    private static final int STRUCT_BYTES = 128;

    /**
     * {@return the instruction set in use, never {@link InstructionSet#AUTO}}
     *
     * @throws IllegalStateException if this is not the CPU's backend
     */
    public InstructionSet isa() {
        if (isa == null) {
            throw new IllegalStateException("the " + kind + " backend has no instruction set of the processor");
        }
        return isa;
    }

    /**
     * @param type a type of weights
     * @return whether a {@link Matrix} of this backend can have the type; the others are converted when they are written to one
     */
    public boolean hasKernel(WeightType type) {
        return handle.get(pointer -> Native.hydra_backend_has_kernel(pointer, type.id())) == 1;
    }

    /** @return the size of the thread team; 0 if this is not the CPU's backend */
    public int threads() {
        return threads;
    }

    /**
     * Measures the memory's rate in bytes per second, the best of the repeats: on the CPU that of all threads reading
     * together, on CUDA that of a copy within the device, with what is read and what is written.
     *
     * @param bytes size of the memory that is read or copied; several times the last-level cache, to measure memory and not cache
     * @param repeats number of timings, at least 1
     * @return bytes per second
     * @throws NativeException if an argument is out of range or there is not enough memory
     */
    public double streamRate(long bytes, int repeats) {
        double[] rate = new double[1];
        handle.check(pointer -> Native.hydra_backend_stream_rate(pointer, bytes, repeats, rate));
        return rate[0];
    }
}
