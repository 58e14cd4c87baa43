package io.hydra4j.runtime;

/** The system refused memory for a native object. Nothing was created; everything that exists stays usable. */
public final class OutOfNativeMemoryException extends NativeException {
    private static final long serialVersionUID = 1L;

    OutOfNativeMemoryException(String message, Throwable cause) {
        super(Status.OUT_OF_MEMORY, message, cause);
    }
}
