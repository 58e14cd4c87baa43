package io.hydra4j.train;

/**
 * How far a run has come.
 *
 * @param step steps that lie behind
 * @param tokens tokens that lie behind
 * @param seconds of training that lie behind, evaluations included
 * @param position where the data go on
 * @param logBytes length of the log
 */
record RunState(long step, long tokens, double seconds, SequenceStream.Position position, long logBytes) {
    static final RunState BEGIN = new RunState(0, 0, 0, SequenceStream.Position.BEGIN, 0);
}
