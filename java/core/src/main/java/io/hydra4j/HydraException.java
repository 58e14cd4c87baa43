package io.hydra4j;

/**
 * Base of every failure that this library reports on purpose. The message is one line that names what was wrong (file,
 * field, value) and what to do about it; causes follow by {@link #getCause()}.
 */
public class HydraException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    /** @param message one line: what was wrong, and the remedy */
    public HydraException(String message) {
        super(message);
    }

    /**
     * @param message one line: what was wrong, and the remedy
     * @param cause the failure below this one, or null
     */
    public HydraException(String message, Throwable cause) {
        super(message, cause);
    }
}
