package io.hydra4j;

import io.hydra4j.decode.Step;
import io.hydra4j.decode.Tree;
import io.hydra4j.draft.Drafter;
import io.hydra4j.tuning.GrowthChoice;
import io.hydra4j.tuning.TreeChoice;

/**
 * How a generation guesses.
 *
 * @param source what guesses
 * @param name of what guesses, as results tell it
 * @param drafter null where nothing does
 * @param tree of every step, or of the first one where the trees are chosen
 * @param fixed chooses fixed trees step by step, or null
 * @param growing chooses dynamic trees step by step, or null
 */
record Guessing(DraftSource source, String name, Drafter drafter, Tree tree, TreeChoice fixed, GrowthChoice growing) {
    static final Guessing NONE = new Guessing(DraftSource.AUTO, "none", null, Tree.ROOT, null, null);

    /** The most candidates of one parent that a tree may ask for. */
    int candidates(int least) {
        return fixed == null ? least : Math.max(least, fixed.candidates());
    }

    /** The tree of the next step. */
    Tree next() {
        return fixed != null ? fixed.tree() : tree;
    }

    /** Whether each step has a tree that is chosen for it. */
    boolean chooses() {
        return fixed != null;
    }

    /** Takes in what a step with the tree of {@link #next} did, how long it took and how much of that the draft. */
    void observe(Step step, long nanos, long draft) {
        fixed.observe(step, nanos, draft);
    }
}
