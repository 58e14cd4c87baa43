package io.hydra4j;

/** Why a generation ended. */
public enum FinishReason {
    /** One of the model's end-of-sequence tokens; it is the last id of the result and adds no text. */
    END,
    /** A stop string; the text ends before it. */
    STOP,
    /** The token limit, or the end of the model's context. */
    LENGTH,
    /** The caller cancelled. */
    CANCELLED
}
