package io.hydra4j.decode;

import io.hydra4j.runtime.PassRows;
import io.hydra4j.runtime.Program;
import io.hydra4j.runtime.Resources;

/** The programs of a session's step in parts, for loops that look at what is between them. */
final class StepParts {
    private final Passes passes;
    private final PassRows rows;
    private final boolean commitsLast;
    private final Program expand;
    private final Program draft;
    private final Program verify;
    private final Program accept;
    private final Program append;
    /** Recorded when it is first asked for. */
    private Program grow;

    /**
     * Made as a whole or not at all; closed with the passes.
     *
     * @param rows {@link Passes#nodes}, or {@link Passes#mixed} for trees and prompts
     * @param commitsLast whether the draft commits what a step leaves as the step ends; else as the next one begins
     */
    StepParts(Passes passes, PassRows rows, boolean commitsLast) {
        this.passes = passes;
        this.rows = rows;
        this.commitsLast = commitsLast;
        Resources made = new Resources();
        try {
            expand = made.own(passes.create());
            passes.recordExpand(expand, rows);
            verify = made.own(passes.create());
            passes.recordVerify(verify, rows);
            accept = made.own(passes.create());
            passes.recordAccept(accept, rows, false);
            if (passes.draft() != null && commitsLast) {
                accept.mark();
                passes.draft().recordCommit(accept, passes.left(rows));
            }
            draft = passes.drafts() ? made.own(passes.create()) : expand;
            if (passes.drafts()) {
                passes.recordExpand(draft, rows);
                if (!commitsLast) {
                    passes.draft().recordCommit(draft, passes.left(rows));
                }
                passes.recordDraft(draft, rows);
            }
            boolean appends = !commitsLast && passes.drafts();
            append = appends ? made.own(passes.create()) : accept;
            if (appends) {
                passes.recordAccept(append, rows, passes.draft().uncommittedRows() != null);
            }
        } catch (RuntimeException | Error e) {
            Resources.closeAfter(e, made);
            throw e;
        }
        passes.own(made);
    }

    /** @param guesses whether the tree has more than its root */
    Program draft(boolean guesses) {
        return guesses ? draft : expand;
    }

    /** The guesses of trees that grow. */
    Program grow() {
        if (grow == null) {
            grow = passes.program(program -> {
                passes.recordExpand(program, rows);
                if (!commitsLast) {
                    passes.draft().recordCommit(program, passes.left(rows));
                }
                passes.recordGrowth(program, rows);
            });
        }
        return grow;
    }

    Program verify() {
        return verify;
    }

    /** @param appends whether the hidden states come after uncommitted ones that are there */
    Program accept(boolean appends) {
        return appends ? append : accept;
    }
}
