package io.hydra4j.runtime;

import io.hydra4j.HydraException;

/** The native library cannot be loaded. Thrown by whatever needs it first, and again by everything that needs it later. */
public final class LibraryLoadException extends HydraException {
    private static final long serialVersionUID = 1L;

    /** What stood in the way. */
    public enum Reason {
        /** No library exists for this operating system and processor. */
        UNSUPPORTED_PLATFORM,
        /** The library is not in the jar or on the class path. */
        RESOURCE_MISSING,
        /** The folder named by {@code hydra4j.library.path} lacks a file. */
        FILE_MISSING,
        /** The library could not be written to the temporary folder. */
        EXTRACTION_FAILED,
        /** The temporary folder forbids executable files. */
        NOEXEC,
        /** The dynamic linker refused the library: a dependency is missing, or the system's C library is too old. */
        LINK,
        /** The library is of another version than these classes. */
        ABI_MISMATCH
    }

    /** What stood in the way. */
    private final Reason reason;

    LibraryLoadException(Reason reason, String message, Throwable cause) {
        super(message, cause);
        this.reason = reason;
    }

    /** @return what stood in the way */
    public Reason reason() {
        return reason;
    }
}
