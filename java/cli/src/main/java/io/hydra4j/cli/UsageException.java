package io.hydra4j.cli;

/** Options that contradict each other or are missing: wrong usage that is only seen when a command runs. */
final class UsageException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    UsageException(String message) {
        super(message);
    }

    /** Rejects the value of an option that lies outside {@code [least, most]}. */
    static void requireRange(String option, long value, long least, long most) {
        if (value < least || value > most) {
            throw new UsageException(option + " is " + value + ", must be from " + least + " to " + most);
        }
    }
}
