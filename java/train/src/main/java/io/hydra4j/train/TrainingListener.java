package io.hydra4j.train;

/** Sees a run go on, in its thread. What a method throws ends the run as a failure would. */
public interface TrainingListener {
    /** Sees nothing. */
    TrainingListener NONE = new TrainingListener() {};

    /**
     * A step was taken.
     *
     * @param step what it came to
     */
    default void stepped(TrainingStep step) {}

    /**
     * Heads were measured.
     *
     * @param evaluation what they were seen to guess
     */
    default void evaluated(Evaluation evaluation) {}

    /**
     * Something takes a moment.
     *
     * @param what in a few words, such as "measuring"
     */
    default void busy(String what) {}
}
