package io.hydra4j.decode;

import io.hydra4j.runtime.Program;
import java.util.Arrays;

/** Adds up statistics. Not thread-safe. */
final class Recorder {
    private long promptTokens;
    private long tokens;
    private long steps;
    private long passes;
    private long nodes;
    private final long[] accepted = new long[Tree.MAX_NODES];
    private final long[] drafted = new long[Tree.MAX_NODES];
    private long prefillNanos;
    private long draftNanos;
    private long verifyNanos;
    private long acceptNanos;
    private int depth;

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

    /** A pass whose marks stand behind draft and verification, and perhaps behind acceptance where the drafter commits. */
    void passed(Program program) {
        passes++;
        draftNanos += program.nanos(0, 1) + program.nanos(3, program.marks() - 1);
        verifyNanos += program.nanos(1, 2);
        acceptNanos += program.nanos(2, 3);
    }

    SessionStatistics statistics() {
        return new SessionStatistics(
                promptTokens,
                tokens,
                steps,
                passes,
                nodes,
                Arrays.copyOf(accepted, depth + 1),
                Arrays.copyOf(drafted, depth + 1),
                prefillNanos,
                draftNanos,
                verifyNanos,
                acceptNanos);
    }

    void reset() {
        promptTokens = 0;
        tokens = 0;
        steps = 0;
        passes = 0;
        nodes = 0;
        Arrays.fill(accepted, 0);
        Arrays.fill(drafted, 0);
        prefillNanos = 0;
        draftNanos = 0;
        verifyNanos = 0;
        acceptNanos = 0;
        depth = 0;
    }
}
