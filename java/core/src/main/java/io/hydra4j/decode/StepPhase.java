package io.hydra4j.decode;

/** Where a step in parts, or one that runs ahead, has come to. */
enum StepPhase {
    /** There is none. */
    READY,
    DRAFTED,
    VERIFIED,
    /** The next step is enqueued. */
    AHEAD;

    /** @throws IllegalStateException if this is another phase than a call needs */
    void require(StepPhase needed) {
        if (this != needed) {
            throw new IllegalStateException("the step is " + this + ", must be " + needed
                    + ": draft, verify and accept follow each other, and step ends what runs ahead; rewind, clear and prefill"
                    + " leave a step");
        }
    }
}
