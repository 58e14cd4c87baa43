package io.hydra4j.decode;

import io.hydra4j.runtime.PassRows;
import io.hydra4j.runtime.Program;

/** The programs of a session's step in parts, for loops that look at what is between them. */
final class StepParts {
    private final Program expand;
    private final Program draft;
    private final Program verify;
    private final Program accept;
    private final Program append;

    StepParts(Passes passes) {
        PassRows nodes = passes.nodes();
        expand = passes.step(nodes);
        verify = passes.program();
        passes.recordVerify(verify, nodes);
        accept = passes.program();
        passes.recordAccept(accept, nodes, false);
        if (passes.draft() == null) {
            draft = expand;
            append = accept;
            return;
        }
        draft = passes.step(nodes);
        passes.draft().recordCommit(draft, passes.draft().uncommittedRows());
        passes.recordDraft(draft, nodes);
        append = passes.program();
        passes.recordAccept(append, nodes, passes.draft().uncommittedRows() != null);
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
