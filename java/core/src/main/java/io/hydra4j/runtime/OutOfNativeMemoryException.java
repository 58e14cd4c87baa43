package io.hydra4j.runtime;

import io.hydra4j.ResourceExhaustedException;

/** The system refused memory for a native object. Nothing was created; everything that exists stays usable. */
public final class OutOfNativeMemoryException extends ResourceExhaustedException {
    private static final long serialVersionUID = 1L;

    OutOfNativeMemoryException(String message, Throwable cause) {
        super(message, cause);
    }
}
