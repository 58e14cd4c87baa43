package io.hydra4j;

/**
 * Whether to guess tokens. The output is the same with all. A model without draft heads looks up how the text went on where its end
 * was before, which pays where texts repeat themselves.
 */
public enum Speculation {
    /** Guess where it is faster than plain decoding, with the trees that are fastest by what is seen while decoding. */
    AUTO,
    /** Guess in every step for which there are guesses. */
    ON,
    /** Never guess: one token a step. */
    OFF
}
