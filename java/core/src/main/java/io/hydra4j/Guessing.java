package io.hydra4j;

import io.hydra4j.decode.Tree;
import io.hydra4j.draft.Drafter;
import io.hydra4j.tuning.GrowthChoice;

/**
 * How a generation guesses.
 *
 * @param source what guesses
 * @param name of what guesses, as results tell it
 * @param drafter null where nothing does
 * @param tree of every step; the most of one where {@code growth} chooses
 * @param growth chooses how the trees grow, step by step; null where they are as {@code tree} says
 */
record Guessing(DraftSource source, String name, Drafter drafter, Tree tree, GrowthChoice growth) {
    static final Guessing NONE = new Guessing(DraftSource.AUTO, "none", null, Tree.ROOT, null);
}
