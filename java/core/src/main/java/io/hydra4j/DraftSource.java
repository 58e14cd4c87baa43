package io.hydra4j;

/** What guesses tokens. The output is the same with all; how many tokens a step emits is not. */
public enum DraftSource {
    /**
     * What is there: draft heads and a lookup together, or heads alone with a fixed tree, as {@link Speculation#ON} has it where
     * none is given; the lookup alone for a model without heads.
     */
    AUTO,
    /** Draft heads alone. */
    HEADS,
    /** A lookup alone: where the end of the text was before, it may go on as it did then. */
    LOOKUP,
    /** Draft heads, and the lookup for a second opinion. Their trees are dynamic. */
    HEADS_AND_LOOKUP
}
