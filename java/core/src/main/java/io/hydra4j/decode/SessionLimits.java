package io.hydra4j.decode;

import io.hydra4j.draft.BaseModel;
import io.hydra4j.draft.Draft;
import io.hydra4j.draft.Drafter;
import io.hydra4j.model.DecoderConfig;
import io.hydra4j.model.DecoderModel;
import java.util.Objects;

/**
 * What a session's tokens, lengths and trees must keep to. Immutable.
 *
 * @param vocabulary token ids are below it
 * @param maxPositions most positions of a sequence
 * @param candidates most candidates of one parent
 * @param nodes most nodes of a tree
 * @param depth the deepest tree that the drafter fills, 0 if there is none
 * @param ranks the most candidates of one parent that it fills
 * @param grows whether it fills trees that each step makes anew
 */
record SessionLimits(int vocabulary, int maxPositions, int candidates, int nodes, int depth, int ranks, boolean grows) {
    /**
     * Reads the limits off options.
     *
     * @param maxPositions 0 for the model's context
     * @throws IllegalArgumentException if an option does not fit the model
     */
    static SessionLimits of(DecoderModel model, Drafter drafter, int maxPositions, int candidates, int nodes) {
        int context = model.config().context();
        if (maxPositions < 0 || maxPositions > context) {
            throw new IllegalArgumentException(
                    "maxPositions is " + maxPositions + ", must be from 0 (all) to the model's context of " + context);
        }
        if (candidates < 1 || candidates > Tree.MAX_RANKS) {
            throw new IllegalArgumentException("candidates is " + candidates + ", must be from 1 to " + Tree.MAX_RANKS);
        }
        if (drafter != null) {
            drafter.requireFit(facts(model));
        }
        return new SessionLimits(
                model.config().vocabulary(),
                maxPositions == 0 ? context : maxPositions,
                candidates,
                nodes,
                drafter == null ? 0 : drafter.maxDepth(),
                drafter == null ? 0 : drafter.maxCandidates(),
                drafter != null && drafter.grows());
    }

    /** The deepest node of a tree of a batch. */
    int deepest() {
        return Math.min(grows ? Math.max(depth, Draft.MAX_CHAIN) : depth, nodes - 1);
    }

    /** Slots that so many positions of a sequence take, and trees before their end, whose guesses may be wrong. */
    int slots(int positions) {
        return Math.min(positions, maxPositions) + (depth == 0 ? 0 : nodes - 1);
    }

    /** What drafters may know of a model. */
    static BaseModel facts(DecoderModel model) {
        DecoderConfig config = model.config();
        return new BaseModel(
                model.backend(), model.embedding(), config.vocabulary(), config.hidden(), config.context());
    }

    /**
     * @throws NullPointerException if it is null
     * @throws IllegalArgumentException if it does not suit this session
     */
    void require(Tree tree) {
        SessionOptions.requireTree(tree);
        if (tree.nodes() == 1) {
            return;
        }
        if (depth == 0) {
            throw new IllegalArgumentException("a tree of " + tree.nodes()
                    + " nodes without draft heads or another drafter: open heads, or use the root alone");
        }
        if (tree.isDynamic() && !grows) {
            throw new IllegalArgumentException(
                    "the drafter does not say how likely its guesses are, which dynamic trees need: use a fixed one");
        }
        if (tree.depth() > depth && !tree.isDynamic()) {
            throw new IllegalArgumentException("the tree is " + tree.depth() + " deep, the drafter fills " + depth
                    + " levels: cut it to that depth");
        }
        if (tree.candidates() > ranks) {
            throw new IllegalArgumentException("the tree asks for " + tree.candidates()
                    + " candidates of one parent, the drafter has " + ranks + ": use a tree with fewer");
        }
        if (tree.candidates() > candidates) {
            throw new IllegalArgumentException("the tree asks for " + tree.candidates()
                    + " candidates, the session was made for " + candidates + ": raise that option");
        }
        if (tree.nodes() > nodes) {
            throw new IllegalArgumentException("the tree has " + tree.nodes() + " nodes, the session was made for "
                    + nodes + ": raise that option");
        }
    }

    /**
     * @throws NullPointerException if they are null
     * @throws IllegalArgumentException if there are none, or one is outside the vocabulary
     */
    void require(int[] ids) {
        Objects.requireNonNull(ids, "ids is null: give at least one token id");
        if (ids.length == 0) {
            throw new IllegalArgumentException("an empty prompt: give at least one token");
        }
        for (int i = 0; i < ids.length; i++) {
            if (ids[i] < 0 || ids[i] >= vocabulary) {
                throw new IllegalArgumentException(
                        "token " + ids[i] + " at index " + i + " is outside the vocabulary of " + vocabulary);
            }
        }
    }
}
