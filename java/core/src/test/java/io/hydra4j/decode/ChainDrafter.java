package io.hydra4j.decode;

import io.hydra4j.draft.BaseModel;
import io.hydra4j.draft.Draft;
import io.hydra4j.draft.Drafter;
import io.hydra4j.draft.HostDraft;
import java.nio.IntBuffer;

/** A drafter made of a function, as anybody might write one. */
record ChainDrafter(int maxDepth, Guess guess) implements Drafter {
    /** Guesses from a text; see {@link HostDraft}. */
    interface Guess {
        int guess(int sequence, IntBuffer text, int[] chain, int depth);
    }

    @Override
    public int maxCandidates() {
        return 1;
    }

    @Override
    public void requireFit(BaseModel model) {}

    @Override
    public Draft open(Loop loop) {
        return new HostDraft(loop) {
            @Override
            protected int guess(int sequence, IntBuffer text, int[] chain, int depth) {
                return guess.guess(sequence, text, chain, depth);
            }
        };
    }
}
