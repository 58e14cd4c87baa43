package io.hydra4j.decode;

import io.hydra4j.runtime.Program;
import java.util.Arrays;

/** Adds up statistics. Not thread-safe. */
final class Recorder {
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
    int depth;

    /** A pass over so many tokens of prompts. */
    void prefilled(int count, Program program) {
        promptTokens += count;
        prefillNanos += program.nanos(0, program.marks() - 1);
    }

    /** What a pass emitted of one sequence. */
    void stepped(Tree tree, int emitted) {
        tokens += emitted;
        steps++;
        nodes += tree.nodes();
        for (int d = 0; d < emitted; d++) {
            accepted[d]++;
        }
        for (int d = 0; d <= tree.depth(); d++) {
            drafted[d]++;
        }
        depth = Math.max(depth, tree.depth());
    }

    /**
     * A pass whose marks stand after draft and verification, and perhaps after acceptance where the drafter commits hidden states.
     *
     * @param guessed whether any sequence had a tree of more than its root
     */
    void passed(Program program, boolean guessed) {
        long draft = program.nanos(0, 1) + program.nanos(3, program.marks() - 1);
        long verify = program.nanos(1, 2);
        long accept = program.nanos(2, 3);
        passes++;
        draftNanos += draft;
        verifyNanos += verify;
        acceptNanos += accept;
        if (!guessed) {
            plainPasses++;
            plainNanos += draft + verify + accept;
        }
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
