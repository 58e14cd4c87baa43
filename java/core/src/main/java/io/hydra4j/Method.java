package io.hydra4j;

import java.util.Locale;

/** How tokens are guessed. The output is the same with all of them. */
public enum Method {
    /** One token a step. */
    PLAIN,
    /** Independent heads. */
    MEDUSA,
    /** Heads that see the tokens drafted before. */
    HYDRA,
    /** As {@link #HYDRA}, with a prefix layer. */
    HYDRA_PLUS_PLUS,
    /** What the heads are, with the tree that is fastest by what is measured here; plain decoding where guessing does not pay. */
    AUTO;

    /** The name on the command line: {@code plain}, {@code medusa}, {@code hydra}, {@code hydra++}, {@code auto}. */
    @Override
    public String toString() {
        return this == HYDRA_PLUS_PLUS ? "hydra++" : name().toLowerCase(Locale.ROOT);
    }
}
