package io.hydra4j.runtime;

import io.hydra4j.HydraException;
import io.hydra4j.runtime.bindings.Native;

/**
 * A call into the native library failed for another reason than memory (that is {@link OutOfNativeMemoryException}). The message
 * holds the native chain of causes in one line, outermost first, and {@link #getCause()} the chain below it.
 */
public class NativeException extends HydraException {
    private static final long serialVersionUID = 1L;

    /** The kinds of failure that the C ABI tells apart. */
    public enum Status {
        /** An argument is null, out of range, or does not fit another one. */
        INVALID_ARGUMENT,
        /** The backend or the instruction set cannot run on this machine. */
        UNAVAILABLE,
        /** A file could not be opened or mapped. */
        IO,
        /** A fault of the library. */
        INTERNAL
    }

    /** The kind of failure. */
    private final Status status;

    NativeException(Status status, String message, Throwable cause) {
        super(message, cause);
        this.status = status;
    }

    /** @return the kind of failure */
    public final Status status() {
        return status;
    }

    /** Throws what the calling thread's last native call left behind, unless its status is HYDRA_OK. */
    static void check(int status) {
        if (status != Native.HYDRA_OK) {
            throw of(status, Native.hydra_error_message());
        }
    }

    /**
     * What a failed call into a native library of Hydra4J means; for its modules.
     *
     * @param status the status of the call, not HYDRA_OK
     * @param lines the causes, one per line, outermost first
     * @return to be thrown: one of these, or an {@link OutOfNativeMemoryException}
     */
    public static HydraException of(int status, String lines) {
        Status kind =
                switch (status) {
                    case Native.HYDRA_INVALID_ARGUMENT -> Status.INVALID_ARGUMENT;
                    case Native.HYDRA_UNAVAILABLE -> Status.UNAVAILABLE;
                    case Native.HYDRA_IO -> Status.IO;
                    default -> Status.INTERNAL;
                };
        String[] causes = lines.isBlank() ? new String[] {"native call failed"} : lines.split("\n");
        HydraException exception = null;
        String message = null;
        for (int i = causes.length - 1; i >= 0; i--) {
            message = message == null ? causes[i] : causes[i] + ": " + message;
            exception = status == Native.HYDRA_OUT_OF_MEMORY
                    ? new OutOfNativeMemoryException(message, exception)
                    : new NativeException(kind, message, exception);
        }
        return exception;
    }
}
