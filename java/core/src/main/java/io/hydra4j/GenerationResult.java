package io.hydra4j;

import io.hydra4j.decode.LogProbabilities;
import io.hydra4j.decode.SessionStatistics;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;

/** What a generation has produced and what it took. Immutable; two are equal if their values are. */
public final class GenerationResult {
    private final int[] ids;
    private final String text;
    private final int[] tokensPerStep;
    private final List<LogProbabilities> logProbabilities;
    private final FinishReason finishReason;
    private final String drafter;
    private final SessionStatistics statistics;
    private final int promptTokens;
    private final int reusedTokens;
    private final long prefillNanos;
    private final long decodeNanos;
    private final OptionalDouble plainStepNanos;

    /**
     * @param drafter what guessed; null where every step was plain
     * @param plainStepNanos mean time of a one-token step; empty where none is known
     */
    GenerationResult(
            OutputAssembler output,
            String drafter,
            SessionStatistics statistics,
            int promptTokens,
            int reusedTokens,
            long prefillNanos,
            long decodeNanos,
            OptionalDouble plainStepNanos) {
        ids = output.ids();
        text = output.text();
        tokensPerStep = output.tokensPerStep();
        logProbabilities = output.logProbabilities();
        finishReason = output.finishReason().orElse(null);
        this.drafter = drafter;
        this.statistics = statistics;
        this.promptTokens = promptTokens;
        this.reusedTokens = reusedTokens;
        this.prefillNanos = prefillNanos;
        this.decodeNanos = decodeNanos;
        this.plainStepNanos = plainStepNanos;
    }

    /** {@return the generated tokens, an end-of-sequence token that ended it included} A copy. */
    public int[] ids() {
        return ids.clone();
    }

    /** {@return their text, without special tokens and cut before a stop string; empty for a model without tokenizer} */
    public String text() {
        return text;
    }

    /** {@return tokens that each step added to {@link #ids}, in order; their sum is {@link #completionTokens}} A copy. */
    public int[] tokensPerStep() {
        return tokensPerStep.clone();
    }

    /**
     * {@return how likely each of the {@link #ids} was, by the model's logits as they are; none without {@link
     * GenerationOptions#withLogProbabilities}} Unmodifiable.
     */
    public List<LogProbabilities> logProbabilities() {
        return logProbabilities;
    }

    /** {@return why it ended; empty of a {@link TokenStream} that goes on} */
    public Optional<FinishReason> finishReason() {
        return Optional.ofNullable(finishReason);
    }

    /** {@return what guessed: a {@link HeadsInfo#kind}, or {@code lookup}; empty if every step was plain} */
    public Optional<String> drafter() {
        return Optional.ofNullable(drafter);
    }

    /** {@return what the session did; its tokens count whole steps, also those beyond the end} */
    public SessionStatistics statistics() {
        return statistics;
    }

    /** {@return the number of tokens of the prompt} */
    public int promptTokens() {
        return promptTokens;
    }

    /** {@return how many of {@link #promptTokens} a {@link Conversation} had from turns before, and were not computed again} */
    public int reusedTokens() {
        return reusedTokens;
    }

    /** {@return the number of generated tokens: as many as {@link #ids} has} */
    public int completionTokens() {
        return ids.length;
    }

    /** {@return the wall time of the prompt's passes, in nanoseconds} */
    public long prefillNanos() {
        return prefillNanos;
    }

    /** {@return the wall time of all steps, the work between them included, in nanoseconds} */
    public long decodeNanos() {
        return decodeNanos;
    }

    /** {@return generated tokens per second of {@link #decodeNanos}; 0 if nothing was generated} */
    public double tokensPerSecond() {
        return decodeNanos == 0 ? 0 : ids.length * 1e9 / decodeNanos;
    }

    /**
     * {@return the acceptance length: tokens emitted per base forward, the root included; 1.0 for plain decoding} That of {@link
     * #statistics}.
     */
    public double acceptanceLength() {
        return statistics.acceptanceLength();
    }

    /**
     * {@return the mean time of a one-token step, in nanoseconds: of those in this generation, or else of the model's
     * calibration; empty where neither has any}
     */
    public OptionalDouble plainStepNanos() {
        return plainStepNanos;
    }

    /**
     * {@return the step overhead rho: mean time of a step ÷ mean time of a one-token step; empty where the latter is not known}
     */
    public OptionalDouble rho() {
        return plainStepNanos.isEmpty() || statistics.passes() == 0
                ? OptionalDouble.empty()
                : OptionalDouble.of(statistics.nanosPerStep() / plainStepNanos.getAsDouble());
    }

    private List<Object> values() {
        return Arrays.asList(
                Arrays.hashCode(ids),
                text,
                Arrays.hashCode(tokensPerStep),
                logProbabilities,
                finishReason,
                drafter,
                statistics,
                promptTokens,
                reusedTokens,
                prefillNanos,
                decodeNanos,
                plainStepNanos);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof GenerationResult result
                && Arrays.equals(ids, result.ids)
                && Arrays.equals(tokensPerStep, result.tokensPerStep)
                && values().equals(result.values());
    }

    @Override
    public int hashCode() {
        return values().hashCode();
    }

    @Override
    public String toString() {
        return "GenerationResult[ids=" + Arrays.toString(ids) + ", text=" + text + ", finishReason=" + finishReason
                + ", drafter=" + drafter + ", promptTokens=" + promptTokens + ", prefillNanos=" + prefillNanos
                + ", decodeNanos=" + decodeNanos + "]";
    }
}
