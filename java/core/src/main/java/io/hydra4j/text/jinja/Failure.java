package io.hydra4j.text.jinja;

/** What a template does cannot be done; the statement that does it adds its line. */
final class Failure extends RuntimeException {
    private static final long serialVersionUID = 1L;
    private static final int LONGEST = 300;

    Failure(String message) {
        super(message.length() > LONGEST ? message.substring(0, LONGEST) + "..." : message, null, false, false);
    }
}
