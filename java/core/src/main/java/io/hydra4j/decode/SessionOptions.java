package io.hydra4j.decode;

/**
 * How a session decodes. Immutable.
 *
 * @param maxPositions most positions, prompt and generated tokens together; 0 for the model's context
 * @param tree the tree of every step, {@link Tree#ROOT} for plain decoding; may be changed later
 * @param candidates most candidates of one parent that any tree of the session asks for, at least those of {@code tree}
 * @param keepLogits whether {@link Session#logits} works; takes 64 rows of memory and a little time
 */
public record SessionOptions(int maxPositions, Tree tree, int candidates, boolean keepLogits) {
    /** Options for this tree, in the model's whole context, without logits. */
    public static SessionOptions of(Tree tree) {
        return new SessionOptions(0, tree, Math.max(10, tree.candidates()), false);
    }

    /** These options with logits kept. */
    public SessionOptions withLogits() {
        return new SessionOptions(maxPositions, tree, candidates, true);
    }
}
