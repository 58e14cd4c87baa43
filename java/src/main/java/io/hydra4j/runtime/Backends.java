package io.hydra4j.runtime;

import io.hydra4j.HydraException;
import io.hydra4j.runtime.bindings.Native;

/** What this machine can run. */
public final class Backends {
    private Backends() {}

    /**
     * Describes the library and its backends in a few lines, {@code name: value} each, for bug reports: versions, platform,
     * and for each backend what was found or why it cannot be used. Never throws a {@link HydraException}.
     */
    public static String describe() {
        String version = Backends.class.getPackage().getImplementationVersion();
        StringBuilder text = new StringBuilder();
        line(text, "hydra4j", version == null ? "development build" : version);
        line(
                text,
                "platform",
                System.getProperty("os.name") + " " + System.getProperty("os.arch") + ", Java "
                        + System.getProperty("java.version"));
        line(text, "native library", library());
        line(text, "cpu", cpu());
        line(text, "cuda", "not built");
        return text.toString();
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
