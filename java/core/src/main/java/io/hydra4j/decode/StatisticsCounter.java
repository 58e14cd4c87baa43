package io.hydra4j.decode;

import io.hydra4j.runtime.Program;
import java.util.Arrays;

/** Counts what {@link SessionStatistics} says. Not thread-safe. */
final class StatisticsCounter {
    long promptTokens;
    long tokens;
    long steps;
    long passes;
    long plainPasses;
    long nodes;
    final long[] accepted = new long[Tree.MAX_NODES];
    final long[] drafted = new long[Tree.MAX_NODES];
    long prefillNanos;
    long draftNanos;
    long verifyNanos;
    long acceptNanos;
    long plainNanos;
    /** Of the step in parts so far. */
    private long partDraftNanos;

    private long partVerifyNanos;

    int depth;

    /** A pass over so many tokens of prompts. */
    void prefilled(int count, Program program) {
        promptTokens += count;
        prefillNanos += nanos(program);
    }

    /** A pass over trees that took in so many tokens of prompts, too. */
    void prefilledBeside(int count) {
        promptTokens += count;
    }

    /** What a pass did of one sequence. */
    void stepped(Tree tree, Step step) {
        int emitted = step.emitted();
        tokens += emitted;
        steps++;
        nodes += step.nodes();
        for (int d = 0; d < emitted; d++) {
            accepted[d]++;
        }
        // Of a dynamic tree is known how many nodes it had, and those that were accepted.
        int deepest = tree.isDynamic() ? Math.max(step.nodes() > 1 ? 1 : 0, emitted - 1) : tree.depth();
        for (int d = 0; d <= deepest; d++) {
            drafted[d]++;
        }
        depth = Math.max(depth, deepest);
    }

    /** The time in which the host guessed for a pass. */
    void proposed(long nanos) {
        draftNanos += nanos;
    }

    /**
     * A pass whose marks stand after draft and verification, and perhaps after acceptance where the drafter commits hidden states.
     *
     * @param guessed whether any sequence had a tree of more than its root
     */
    void passed(Program program, boolean guessed) {
        draftNanos += program.nanos(0, 1) + program.nanos(3, program.marks() - 1);
        verifyNanos += program.nanos(1, 2);
        acceptNanos += program.nanos(2, 3);
        ended(program.nanos(0, program.marks() - 1), guessed);
    }

    /** A pass that ran ahead and took so long, of which no parts are known: all of it counts as verification. */
    void passedAhead(long nanos, boolean guessed) {
        verifyNanos += nanos;
        ended(nanos, guessed);
    }

    /** The draft of a step in parts, which counts when the step has ended. */
    void drafted(Program program) {
        partDraftNanos = nanos(program);
    }

    /** The verification of a step in parts, which counts when the step has ended. */
    void verified(Program program) {
        partVerifyNanos = nanos(program);
    }

    /** Of the draft of a step in parts. */
    long partDraftNanos() {
        return partDraftNanos;
    }

    /** Of a step in parts that ends with this program. */
    long partsNanos(Program accept) {
        return partDraftNanos + partVerifyNanos + nanos(accept);
    }

    /** The end of a step in parts; a mark may stand after acceptance, and guessed is as in {@link #passed}. */
    void accepted(Program program, boolean guessed) {
        draftNanos += partDraftNanos + program.nanos(1, program.marks() - 1);
        verifyNanos += partVerifyNanos;
        acceptNanos += program.nanos(0, 1);
        ended(partsNanos(program), guessed);
    }

    /** The end of a step in parts over so many tokens of prompts alone. */
    void prefilledInParts(int count, Program program) {
        promptTokens += count;
        prefillNanos += partsNanos(program);
    }

    private void ended(long nanos, boolean guessed) {
        passes++;
        if (!guessed) {
            plainPasses++;
            plainNanos += nanos;
        }
    }

    private static long nanos(Program program) {
        return program.nanos(0, program.marks() - 1);
    }

    SessionStatistics statistics() {
        return new SessionStatistics(this);
    }

    void reset() {
        promptTokens = 0;
        tokens = 0;
        steps = 0;
        passes = 0;
        plainPasses = 0;
        nodes = 0;
        Arrays.fill(accepted, 0);
        Arrays.fill(drafted, 0);
        prefillNanos = 0;
        draftNanos = 0;
        verifyNanos = 0;
        acceptNanos = 0;
        plainNanos = 0;
        depth = 0;
    }
}
