package io.hydra4j;

/** A device does not have enough free memory for a model. Nothing was loaded. */
public final class InsufficientMemoryException extends ResourceExhaustedException {
    private static final long serialVersionUID = 1L;

    /** Bytes that are needed. */
    private final long neededBytes;

    /** Bytes that are free. */
    private final long freeBytes;

    /**
     * @param message one line: what is short, and the remedy
     * @param neededBytes bytes that are needed
     * @param freeBytes bytes that are free
     */
    public InsufficientMemoryException(String message, long neededBytes, long freeBytes) {
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
