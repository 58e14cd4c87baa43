package io.hydra4j;

/**
 * Memory or KV pages are short at the moment: the parent of all such failures, for servers that then answer "try again later".
 * What was asked for was not begun, and everything that exists stays usable.
 */
public abstract class ResourceExhaustedException extends HydraException {
    private static final long serialVersionUID = 1L;

    /** @param message one line: what is short, and the remedy */
    protected ResourceExhaustedException(String message) {
        super(message);
    }

    /**
     * @param message one line: what is short, and the remedy
     * @param cause the failure below this one, or null
     */
    protected ResourceExhaustedException(String message, Throwable cause) {
        super(message, cause);
    }
}
