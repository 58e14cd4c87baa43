package io.hydra4j.train;

/**
 * How far a run has come.
 *
 * @param step steps that lie behind
 * @param tokens tokens that lie behind
 * @param seconds of training that lie behind, evaluations included
 * @param position where the data go on
 * @param logBytes length of the log
 * @param evaluated whether the heads were measured after the last step
 */
record RunState(
        long step, long tokens, double seconds, SequenceStream.Position position, long logBytes, boolean evaluated) {
    static final RunState BEGIN = new RunState(0, 0, 0, SequenceStream.Position.BEGIN, 0, false);

    /** The same after the heads were measured. */
    RunState measured() {
        return new RunState(step, tokens, seconds, position, logBytes, true);
    }
}
