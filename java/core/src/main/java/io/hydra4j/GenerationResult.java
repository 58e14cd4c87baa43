package io.hydra4j;

import io.hydra4j.decode.SessionStatistics;
import java.util.List;

/**
 * A finished generation.
 *
 * @param ids the generated tokens, an end-of-sequence token that ended it included
 * @param text their text, without special tokens and cut before a stop string; empty for a model without tokenizer
 * @param tokensPerStep tokens that each step added to {@code ids}, in order; their sum is the number of ids
 * @param finishReason why it ended
 * @param method what decoded it: for {@link Method#AUTO} what was chosen last
 * @param statistics what the session did; its tokens count whole steps, also those beyond the end
 * @param prefillNanos from the call to the end of the prompt's last pass, wall time
 * @param decodeNanos wall time of all steps, the work between them included
 * @param plainStepNanos time of a one-token step of this model as measured here, in nanoseconds
 */
public record GenerationResult(
        List<Integer> ids,
        String text,
        List<Integer> tokensPerStep,
        FinishReason finishReason,
        Method method,
        SessionStatistics statistics,
        long prefillNanos,
        long decodeNanos,
        double plainStepNanos) {
    /** Generated tokens per second of {@link #decodeNanos}; 0 if nothing was generated. */
    public double tokensPerSecond() {
        return decodeNanos == 0 ? 0 : ids.size() * 1e9 / decodeNanos;
    }

    /** Step overhead: mean time of a step ÷ time of a one-token step. */
    public double rho() {
        return statistics.rho(plainStepNanos);
    }
}
