package io.hydra4j.decode;

import io.hydra4j.runtime.PassRows;
import io.hydra4j.runtime.Program;
import io.hydra4j.runtime.Resources;

/** The programs of a session's step in parts, for loops that look at what is between them. */
final class StepParts {
    private final Program expand;
    private final Program draft;
    private final Program verify;
    private final Program accept;
    private final Program append;

    /** Made as a whole or not at all; closed with the passes. */
    StepParts(Passes passes) {
        PassRows nodes = passes.nodes();
        Resources made = new Resources();
        try {
            expand = made.own(passes.create());
            passes.recordExpand(expand, nodes);
            verify = made.own(passes.create());
            passes.recordVerify(verify, nodes);
            accept = made.own(passes.create());
            passes.recordAccept(accept, nodes, false);
            boolean drafts = passes.draft() != null;
            draft = drafts ? made.own(passes.create()) : expand;
            append = drafts ? made.own(passes.create()) : accept;
            if (drafts) {
                passes.recordExpand(draft, nodes);
                passes.draft().recordCommit(draft, passes.draft().uncommittedRows());
                passes.recordDraft(draft, nodes);
                passes.recordAccept(append, nodes, passes.draft().uncommittedRows() != null);
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

    Program verify() {
        return verify;
    }

    /** @param appends whether the hidden states come after uncommitted ones that are there */
    Program accept(boolean appends) {
        return appends ? append : accept;
    }
}
