package io.hydra4j.decode;

import io.hydra4j.HydraException;

/** A prompt or step that does not fit into the rest of a sequence's context. The session stays as it was. */
public final class ContextFullException extends HydraException {
    private static final long serialVersionUID = 1L;

    /** Number of the sequence; 0 of a {@link Session}. */
    private final int sequence;

    ContextFullException(int length, int wanted, int maxPositions) {
        super(reason(length, wanted, maxPositions) + ": shorten the prompt, or use a model with a longer context");
        this.sequence = 0;
    }

    /** Of a sequence in a {@link BatchSession}. */
    ContextFullException(int sequence, int length, int wanted, int maxPositions) {
        super("sequence " + sequence + ": " + reason(length, wanted, maxPositions)
                + ": pause or clear it, or shorten the prompt");
        this.sequence = sequence;
    }

    private static String reason(int length, int wanted, int maxPositions) {
        return "the context holds " + maxPositions + " positions, " + length + " are in use and " + wanted
                + " more were asked for";
    }

    /** {@return the sequence of a {@link BatchSession} that is full; 0 of a {@link Session}} */
    public int sequence() {
        return sequence;
    }
}
