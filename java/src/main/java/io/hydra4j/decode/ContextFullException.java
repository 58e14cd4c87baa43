package io.hydra4j.decode;

import io.hydra4j.HydraException;

/** A prompt or step that does not fit into the rest of a session's context. The session stays as it was. */
public final class ContextFullException extends HydraException {
    private static final long serialVersionUID = 1L;

    ContextFullException(int length, int wanted, int maxPositions) {
        super("the context holds " + maxPositions + " positions, " + length + " are in use and " + wanted
                + " more were asked for: shorten the prompt, or use a model with a longer context");
    }
}
