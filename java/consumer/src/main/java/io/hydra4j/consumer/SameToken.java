package io.hydra4j.consumer;

import io.hydra4j.draft.BaseModel;
import io.hydra4j.draft.Draft;
import io.hydra4j.draft.Drafter;
import io.hydra4j.draft.HostDraft;
import java.nio.IntBuffer;
import java.util.Arrays;

/** A drafter of one's own: guesses that one token follows, again and again. */
record SameToken(int token) implements Drafter {
    @Override
    public int maxDepth() {
        return 3;
    }

    @Override
    public int maxCandidates() {
        return 1;
    }

    @Override
    public void requireFit(BaseModel model) {
        if (token < 0 || token >= model.vocabulary()) {
            throw new IllegalArgumentException(
                    "token " + token + " is outside the vocabulary of " + model.vocabulary() + ": guess another one");
        }
    }

    @Override
    public Draft open(Loop loop) {
        return new HostDraft(loop) {
            @Override
            protected int guess(int sequence, IntBuffer text, int[] chain, int depth) {
                Arrays.fill(chain, 0, depth, token);
                return depth;
            }
        };
    }
}
