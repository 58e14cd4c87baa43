package io.hydra4j.cli;

/** Options that contradict each other or are missing: wrong usage that is only seen when a command runs. */
final class UsageException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    UsageException(String message) {
        super(message);
    }
}
