package io.hydra4j.tuning;

import io.hydra4j.draft.BaseModel;
import io.hydra4j.draft.Draft;
import io.hydra4j.draft.Drafter;
import io.hydra4j.heads.DraftHeads;

/**
 * Heads that know nothing of the noise that a sample is drawn with, and so guess the likeliest tokens: to measure what that is worth.
 *
 * @param heads that guess
 */
public record Noiseless(DraftHeads heads) implements Drafter {
    @Override
    public int maxDepth() {
        return heads.maxDepth();
    }

    @Override
    public int maxCandidates() {
        return heads.maxCandidates();
    }

    @Override
    public void requireFit(BaseModel model) {
        heads.requireFit(model);
    }

    @Override
    public Draft open(Loop loop) {
        return heads.open(
                new Loop(loop.model(), loop.batch(), loop.candidates(), loop.nodes(), loop.promptRows(), null));
    }
}
