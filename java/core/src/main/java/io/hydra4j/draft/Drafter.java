package io.hydra4j.draft;

import io.hydra4j.runtime.Batch;
import io.hydra4j.runtime.Sampling;
import io.hydra4j.runtime.TopK;
import java.util.List;
import java.util.Objects;

/**
 * Guesses the tokens of trees that the base model then verifies: draft heads, or whatever else may know what comes next. A session
 * asks it for a {@link Draft} of its own, and knows nothing else of it; what is guessed decides how many tokens a step emits, never
 * which. Immutable and safe to share between sessions and threads.
 */
public interface Drafter {
    /** {@return the deepest tree that it can fill, at least 1} */
    int maxDepth();

    /** {@return the most children of one node that it can fill, 1 to {@link TopK#MAX_K}} */
    int maxCandidates();

    /**
     * {@return whether it fills dynamic trees: whether its drafts know how likely their guesses are ({@link Draft#recordGrowth}, {@link
     * Draft#propose(int, java.nio.IntBuffer, int[], float[], int)})}
     */
    default boolean grows() {
        return false;
    }

    /**
     * {@return this drafter with the guesses of another one, made on the host, for a second opinion in dynamic trees} Other trees are this
     * one's alone.
     *
     * @param chains guesses on the host, such as {@link #lookup}; what it needs of the base's states or records is not used
     */
    default Drafter withChains(Drafter chains) {
        return new DrafterWithChains(this, Objects.requireNonNull(chains, "chains is null: give a drafter"));
    }

    /**
     * Refuses a model that it cannot guess for.
     *
     * @param model what the loop decodes
     * @throws IllegalArgumentException if it was made for another one
     */
    void requireFit(BaseModel model);

    /**
     * Makes what the draft of one loop works on; the loop closes it.
     *
     * @param loop the loop and its limits
     * @return the draft, which belongs to the loop
     * @throws io.hydra4j.HydraException if memory is short; nothing is kept then
     */
    Draft open(Loop loop);

    /**
     * {@return a drafter for any model, without heads: it looks for the longest end of the text so far that was there before, and
     * guesses that it goes on as it did then} Trees are chains.
     *
     * @param depth the longest chain, 1 to 63; as long as one can be verified at little more than the price of a token is good
     * @throws IllegalArgumentException if the depth is out of range
     */
    static Drafter lookup(int depth) {
        return lookup(depth, List.of());
    }

    /**
     * {@return as {@link #lookup(int)}; ends are looked for in texts given beside, too, such as the file that is being edited}
     *
     * @param depth the longest chain, 1 to 63
     * @param texts token ids of each text; of places that are as good, later ones count, and those in the text itself most
     * @throws IllegalArgumentException if the depth is out of range, or an id is negative
     */
    static Drafter lookup(int depth, List<int[]> texts) {
        return new LookupDrafter(depth, texts);
    }

    /**
     * A loop that decodes.
     *
     * @param model whose tokens are guessed
     * @param batch its sequences
     * @param candidates most candidates of one parent that a tree may ask for
     * @param nodes most nodes of a tree, at least 1; for all sequences together no more than a pass can have rows
     * @param promptRows most rows of a pass over prompts
     * @param sampling how its sequences select tokens: guesses with its noise are guesses of what will be drawn. Null where all are
     *     the base model's best
     */
    record Loop(BaseModel model, Batch batch, int candidates, int nodes, int promptRows, Sampling sampling) {}
}
