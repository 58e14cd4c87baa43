package io.hydra4j.decode;

/**
 * What a session has done since it was made or last reset; of a {@link BatchSession}, what it has done for all sequences
 * together. Immutable. Times are of the native side, in nanoseconds.
 *
 * @param promptTokens tokens that went through prefill
 * @param tokens tokens that steps emitted, roots included
 * @param steps steps of sequences
 * @param passes passes of the base model, prefill not counted: each is a step of one or more sequences
 * @param nodes tree nodes verified in all steps, roots included
 * @param acceptedByDepth {@code [d]}: steps whose accepted path reached depth d or deeper; {@code [0] = steps}. Its sum is
 *     {@code tokens}
 * @param draftedByDepth {@code [d]}: steps whose tree had nodes of depth d
 * @param prefillNanos time in prefill, with what the draft heads take in of prompts
 * @param draftNanos time in the draft heads, their prefix layer included
 * @param verifyNanos time in the base model's passes over trees
 * @param acceptNanos time in acceptance and moving keys and values
 */
public record SessionStatistics(
        long promptTokens,
        long tokens,
        long steps,
        long passes,
        long nodes,
        long[] acceptedByDepth,
        long[] draftedByDepth,
        long prefillNanos,
        long draftNanos,
        long verifyNanos,
        long acceptNanos) {
    /** Acceptance length: tokens emitted per step of a sequence, the root included; 1.0 for plain decoding, 0 before any step. */
    public double acceptanceLength() {
        return steps == 0 ? 0 : (double) tokens / steps;
    }

    /** Nanoseconds in steps: draft, verify and accept. */
    public long stepNanos() {
        return draftNanos + verifyNanos + acceptNanos;
    }

    /** Mean time of a step in nanoseconds, of all sequences that take part in it together; 0 before any. */
    public double nanosPerStep() {
        return passes == 0 ? 0 : (double) stepNanos() / passes;
    }

    /**
     * Step overhead rho: mean time of a step ÷ time of a one-token step of the same model.
     *
     * @param plainStepNanos that time, measured on the same machine
     */
    public double rho(double plainStepNanos) {
        return nanosPerStep() / plainStepNanos;
    }
}
