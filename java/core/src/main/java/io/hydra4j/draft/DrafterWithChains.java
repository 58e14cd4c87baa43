package io.hydra4j.draft;

import io.hydra4j.runtime.Buffer;
import io.hydra4j.runtime.PassRows;
import io.hydra4j.runtime.Program;
import io.hydra4j.runtime.Resources;
import io.hydra4j.runtime.TreeTopology;
import java.nio.IntBuffer;

/** A drafter, and one that guesses chains on the host for a second opinion in dynamic trees. */
record DrafterWithChains(Drafter first, Drafter chains) implements Drafter {
    @Override
    public int maxDepth() {
        return first.maxDepth();
    }

    @Override
    public int maxCandidates() {
        return first.maxCandidates();
    }

    @Override
    public boolean grows() {
        return first.grows() && chains.grows();
    }

    @Override
    public void requireFit(BaseModel model) {
        first.requireFit(model);
        chains.requireFit(model);
    }

    @Override
    public Draft open(Loop loop) {
        Draft opened = first.open(loop);
        try {
            return new Both(opened, chains.open(loop));
        } catch (RuntimeException | Error e) {
            Resources.closeAfter(e, opened);
            throw e;
        }
    }

    private record Both(Draft first, Draft chains) implements Draft {
        @Override
        public PassRows uncommittedRows() {
            return first.uncommittedRows();
        }

        @Override
        public PassRows promptRows() {
            return first.promptRows();
        }

        @Override
        public Buffer uncommitted() {
            return first.uncommitted();
        }

        @Override
        public boolean keepsState() {
            return first.keepsState();
        }

        @Override
        public void recordCommit(Program program, PassRows rows) {
            first.recordCommit(program, rows);
        }

        @Override
        public void recordCommitBeforeOthers(Program program, PassRows rows) {
            first.recordCommitBeforeOthers(program, rows);
        }

        @Override
        public void recordDraft(Program program, TreeTopology tree, PassRows nodes) {
            first.recordDraft(program, tree, nodes);
        }

        @Override
        public int levels() {
            return first.levels();
        }

        @Override
        public void recordGrowth(Program program, TreeTopology tree, PassRows prompts, PassRows nodes) {
            first.recordGrowth(program, tree, prompts, nodes);
        }

        @Override
        public boolean readsText() {
            return first.readsText();
        }

        @Override
        public int propose(int sequence, IntBuffer text, int depth) {
            return first.propose(sequence, text, depth);
        }

        @Override
        public int propose(int sequence, IntBuffer text, int[] chain, float[] chances, int depth) {
            return chains.propose(sequence, text, chain, chances, depth);
        }

        @Override
        public void proposed() {
            first.proposed();
        }

        @Override
        public void rewound(int sequence, int length) {
            first.rewound(sequence, length);
            chains.rewound(sequence, length);
        }

        @Override
        public void close() {
            try (first;
                    chains) {}
        }
    }
}
