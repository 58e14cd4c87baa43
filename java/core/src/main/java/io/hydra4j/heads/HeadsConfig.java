package io.hydra4j.heads;

/**
 * What a set of draft heads is. Immutable.
 *
 * @param kind what a head sees
 * @param heads draft heads: head i (from 0) guesses the token i + 2 places after the last verified one
 * @param layers residual blocks of a head
 * @param baseLmHead whether a head's vector goes through the base model's LM head; otherwise each head has one of its own
 * @param baseModel the name of the base model that the file states; empty if it states none
 */
public record HeadsConfig(Kind kind, int heads, int layers, boolean baseLmHead, String baseModel) {
    /** The most heads: a path of the tree is at most this deep. */
    public static final int MAX_HEADS = 63;
    /** The most residual blocks of a head. */
    public static final int MAX_LAYERS = 64;

    /** What a head sees beside the hidden state of the last verified token. */
    public enum Kind {
        /** Nothing more: heads are independent (published as {@code mlp}, not grounded, or as Medusa). */
        MEDUSA,
        /** The embeddings of the tokens drafted before it (published as {@code mlp}, grounded). */
        HYDRA,
        /** As {@link #HYDRA}, with a prefix layer over all verified hidden states (published as {@code prefix-mlp}). */
        HYDRA_PLUS_PLUS;

        /** Whether a head sees the tokens drafted before it, so that level follows level. */
        public boolean isGrounded() {
            return this != MEDUSA;
        }
    }
}
