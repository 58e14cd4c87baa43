package io.hydra4j.decode;

/** How the trees of a step get their tokens. */
enum Drafting {
    /** There are none below the roots, or the host's alone. */
    NONE,
    /** Into the shapes that they have. */
    FIXED,
    /** As they grow. */
    GROWING
}
