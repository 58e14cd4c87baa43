package io.hydra4j.model;

import io.hydra4j.HydraException;

/** A device has not the memory that a model needs. Nothing was loaded. */
public final class InsufficientMemoryException extends HydraException {
    private static final long serialVersionUID = 1L;

    /** Bytes that are needed. */
    private final long neededBytes;

    /** Bytes that are free. */
    private final long freeBytes;

    InsufficientMemoryException(String message, long neededBytes, long freeBytes) {
        super(message);
        this.neededBytes = neededBytes;
        this.freeBytes = freeBytes;
    }

    /** @return bytes that are needed */
    public long neededBytes() {
        return neededBytes;
    }

    /** @return bytes that are free */
    public long freeBytes() {
        return freeBytes;
    }
}
