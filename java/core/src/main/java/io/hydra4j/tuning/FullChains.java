package io.hydra4j.tuning;

import io.hydra4j.draft.BaseModel;
import io.hydra4j.draft.Draft;
import io.hydra4j.draft.Drafter;
import io.hydra4j.draft.HostDraft;
import java.nio.IntBuffer;
import java.util.Arrays;

/**
 * Fills every chain with some token, to measure what steps cost with a drafter that guesses from the text now and then: which tokens
 * are verified does not matter, how many does.
 *
 * @param maxDepth the longest chain
 */
public record FullChains(int maxDepth) implements Drafter {
    @Override
    public boolean grows() {
        return true;
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
                Arrays.fill(chain, 0, depth, 0);
                return depth;
            }

            @Override
            protected void chances(int sequence, float[] chances, int count) {
                Arrays.fill(chances, 0, count, 0.99f);
            }
        };
    }
}
