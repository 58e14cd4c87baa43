package io.hydra4j.text.jinja;

/**
 * A value that is not there: empty where it is printed, false where it is asked, and a failure where something is made of it.
 *
 * @param problem why it is not there, for messages
 */
record Undefined(String problem) {
    static Undefined name(String name) {
        return new Undefined("'" + name + "' is undefined");
    }

    Failure failure() {
        return new Failure(problem);
    }

    /** All of them are equal. */
    @Override
    public boolean equals(Object other) {
        return other instanceof Undefined;
    }

    @Override
    public int hashCode() {
        return 0;
    }
}
