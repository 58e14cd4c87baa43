package io.hydra4j.decode;

import java.util.Arrays;
import java.util.List;
import java.util.OptionalDouble;

/**
 * What a session has done since it was made or last reset; of a {@link BatchSession}, what it has done for all sequences
 * together. Immutable; two are equal if their values are. Times are of the native side, in nanoseconds;
 * what a drafter guesses on the host counts as draft. A step in parts counts when it has been accepted.
 */
public final class SessionStatistics {
    /** Of a session that has done nothing. */
    public static final SessionStatistics NONE = new StatisticsCounter().statistics();

    private final long promptTokens;
    private final long tokens;
    private final long steps;
    private final long passes;
    private final long plainPasses;
    private final long nodes;
    private final long[] acceptedByDepth;
    private final long[] draftedByDepth;
    private final long prefillNanos;
    private final long draftNanos;
    private final long verifyNanos;
    private final long acceptNanos;
    private final long plainNanos;

    SessionStatistics(StatisticsCounter from) {
        promptTokens = from.promptTokens;
        tokens = from.tokens;
        steps = from.steps;
        passes = from.passes;
        plainPasses = from.plainPasses;
        nodes = from.nodes;
        acceptedByDepth = Arrays.copyOf(from.accepted, from.depth + 1);
        draftedByDepth = Arrays.copyOf(from.drafted, from.depth + 1);
        prefillNanos = from.prefillNanos;
        draftNanos = from.draftNanos;
        verifyNanos = from.verifyNanos;
        acceptNanos = from.acceptNanos;
        plainNanos = from.plainNanos;
    }

    /** {@return the number of tokens that went through prefill} */
    public long promptTokens() {
        return promptTokens;
    }

    /** {@return the number of tokens that steps emitted, roots included} */
    public long tokens() {
        return tokens;
    }

    /** {@return the number of steps of sequences: each is one forward pass of the base over the tree of one sequence} */
    public long steps() {
        return steps;
    }

    /** {@return the number of passes of the base model, prefill not counted: each is a step of one or more sequences} */
    public long passes() {
        return passes;
    }

    /** {@return the number of passes in which no sequence guessed} */
    public long plainPasses() {
        return plainPasses;
    }

    /** {@return the number of tree nodes verified in all steps, roots included} */
    public long nodes() {
        return nodes;
    }

    /**
     * {@return {@code [d]}: the steps whose accepted path reached depth d or deeper; {@code [0]} is {@link #steps}, the sum is
     * {@link #tokens}} A copy.
     */
    public long[] acceptedByDepth() {
        return acceptedByDepth.clone();
    }

    /** {@return {@code [d]}: steps whose tree had nodes of depth d; of a dynamic tree the depths count that were accepted, and the first} A copy. */
    public long[] draftedByDepth() {
        return draftedByDepth.clone();
    }

    /** {@return the number of steps that guessed} */
    public long draftedSteps() {
        return draftedByDepth.length > 1 ? draftedByDepth[1] : 0;
    }

    /** {@return the time in prefill, with what the draft heads commit of prompts} */
    public long prefillNanos() {
        return prefillNanos;
    }

    /** {@return the time in the draft heads, their prefix layer included} */
    public long draftNanos() {
        return draftNanos;
    }

    /** {@return the time in the base model's passes over trees} */
    public long verifyNanos() {
        return verifyNanos;
    }

    /** {@return the time in acceptance and moving keys and values} */
    public long acceptNanos() {
        return acceptNanos;
    }

    /**
     * {@return the acceptance length: tokens emitted per base forward of a sequence, the root included; 1.0 for plain decoding, 0
     * before any step}
     */
    public double acceptanceLength() {
        return steps == 0 ? 0 : (double) tokens / steps;
    }

    /** {@return the nanoseconds in steps: draft, verify and accept} */
    public long stepNanos() {
        return draftNanos + verifyNanos + acceptNanos;
    }

    /** {@return the mean time of a step in nanoseconds, of all sequences that take part in it together; 0 before any} */
    public double nanosPerStep() {
        return passes == 0 ? 0 : (double) stepNanos() / passes;
    }

    /** {@return the mean time of a step in which no sequence guessed, in nanoseconds; empty if there was none} */
    public OptionalDouble plainStepNanos() {
        return plainPasses == 0 ? OptionalDouble.empty() : OptionalDouble.of((double) plainNanos / plainPasses);
    }

    private List<Object> values() {
        return List.of(
                promptTokens,
                tokens,
                steps,
                passes,
                plainPasses,
                nodes,
                Arrays.stream(acceptedByDepth).boxed().toList(),
                Arrays.stream(draftedByDepth).boxed().toList(),
                prefillNanos,
                draftNanos,
                verifyNanos,
                acceptNanos,
                plainNanos);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof SessionStatistics statistics && values().equals(statistics.values());
    }

    @Override
    public int hashCode() {
        return values().hashCode();
    }

    @Override
    public String toString() {
        return "SessionStatistics[promptTokens=" + promptTokens + ", tokens=" + tokens + ", steps=" + steps
                + ", passes="
                + passes + ", plainPasses=" + plainPasses + ", nodes=" + nodes + ", acceptedByDepth="
                + Arrays.toString(acceptedByDepth) + ", draftedByDepth=" + Arrays.toString(draftedByDepth)
                + ", prefillNanos=" + prefillNanos + ", draftNanos=" + draftNanos + ", verifyNanos=" + verifyNanos
                + ", acceptNanos=" + acceptNanos + "]";
    }
}
