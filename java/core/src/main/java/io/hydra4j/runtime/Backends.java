package io.hydra4j.runtime;

import io.hydra4j.HydraException;
import io.hydra4j.runtime.bindings.Native;

/** What this machine can run. */
public final class Backends {
    private Backends() {}

    /**
     * Opens a backend.
     *
     * @param kind {@link BackendKind#AUTO} takes CUDA's first device where it can be used, and otherwise the CPU, whose
     *     {@link Backend#fallback()} says why; the others are opened or fail
     * @param threads size of the CPU's thread team; 0 for one per core that the process may use
     * @return the backend, to be closed
     * @throws LibraryLoadException if the native library cannot be loaded
     * @throws NativeException with status {@code UNAVAILABLE} and the reason if CUDA was asked for and cannot be used
     * @throws IllegalArgumentException if the number of threads is out of range
     */
    public static Backend open(BackendKind kind, int threads) {
        if (kind == BackendKind.CUDA) {
            return Backend.openCuda(0);
        }
        String fallback = kind == BackendKind.CPU ? "" : CudaLibrary.obstacle();
        if (kind == BackendKind.AUTO && fallback.isEmpty()) {
            try {
                return Backend.openCuda(0);
            } catch (HydraException e) {
                // Where the native library itself is the obstacle, the CPU's backend meets it again.
                fallback = e.getMessage();
            }
        }
        return openCpu(threads, fallback);
    }

    /**
     * Opens the CPU's backend in place of another one.
     *
     * @param threads size of the thread team; 0 for one per core that the process may use
     * @param fallback why, for {@link Backend#fallback()}
     * @return the backend, to be closed
     */
    public static Backend openCpu(int threads, String fallback) {
        return Backend.openCpu(threads, InstructionSet.AUTO, fallback);
    }

    private static String version() {
        String version = Backends.class.getModule().isNamed()
                ? Backends.class.getModule().getDescriptor().rawVersion().orElse(null)
                : Backends.class.getPackage().getImplementationVersion();
        return version == null ? "development build" : version;
    }

    /**
     * Describes the library and its backends in a few lines, {@code name: value} each, for bug reports: versions, platform,
     * and for each backend what was found or why it cannot be used. Never throws a {@link HydraException}.
     *
     * @return the lines, without one at the end
     */
    public static String describe() {
        StringBuilder text = new StringBuilder();
        line(text, "hydra4j", version());
        line(
                text,
                "platform",
                System.getProperty("os.name") + " " + System.getProperty("os.arch") + ", Java "
                        + System.getProperty("java.version"));
        line(text, "native library", library());
        line(text, "cpu", cpu());
        cuda(text);
        return text.toString();
    }

    /** One line for each device, or one with the reason why none can be used. */
    private static void cuda(StringBuilder text) {
        try {
            String library = CudaLibrary.path();
            int devices = CudaLibrary.devices(library);
            line(text, "cuda", devices == 1 ? "1 device" : devices + " devices");
            for (int i = 0; i < devices; i++) {
                line(text, "cuda " + i, CudaLibrary.describe(library, i));
            }
        } catch (LibraryLoadException exception) {
            line(text, "cuda", "not available, see native library");
        } catch (HydraException exception) {
            line(text, "cuda", "not available: " + exception.getMessage());
        }
    }

    private static void line(StringBuilder text, String name, String value) {
        text.append(name).append(": ").append(value).append('\n');
    }

    private static String library() {
        try {
            NativeLibrary.load();
            return "ABI version " + Native.hydra_abi_version();
        } catch (HydraException exception) {
            return exception.getMessage();
        }
    }

    private static String cpu() {
        try (Backend backend = Backend.openCpu(1, InstructionSet.AUTO)) {
            return backend.isa().nativeName() + ", " + Runtime.getRuntime().availableProcessors() + " processors";
        } catch (LibraryLoadException exception) {
            return "not available, see native library";
        } catch (HydraException exception) {
            return "not available: " + exception.getMessage();
        }
    }
}
