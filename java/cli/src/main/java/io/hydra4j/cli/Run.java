package io.hydra4j.cli;

import io.hydra4j.FinishReason;
import io.hydra4j.GenerationResult;
import io.hydra4j.decode.SessionStatistics;

/**
 * What decoding one prompt has given and taken.
 *
 * @param ids the generated tokens
 * @param statistics what the session did
 * @param prefillNanos wall time of the prompt's passes
 * @param decodeNanos wall time of all steps, the work between them included
 * @param isCancelled whether it was ended before its end
 */
record Run(int[] ids, SessionStatistics statistics, long prefillNanos, long decodeNanos, boolean isCancelled) {
    static Run of(GenerationResult result) {
        return new Run(
                result.ids(),
                result.statistics(),
                result.prefillNanos(),
                result.decodeNanos(),
                result.finishReason().orElseThrow() == FinishReason.CANCELLED);
    }

    double tokensPerSecond() {
        return ids.length * 1e9 / decodeNanos;
    }

    /** Wall time of a generated token, in nanoseconds. */
    double nanosPerToken() {
        return (double) decodeNanos / ids.length;
    }
}
