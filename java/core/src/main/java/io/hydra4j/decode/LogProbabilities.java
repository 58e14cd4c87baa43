package io.hydra4j.decode;

import java.util.List;
import java.util.Objects;

/**
 * How likely an emitted token was, and what was most likely in its place. Immutable.
 *
 * @param chosen the token that was emitted
 * @param top the most likely tokens, best first, smaller ones first among equals; as many as the session was made for, which may be
 *     none. The emitted one need not be among them
 */
public record LogProbabilities(TokenLogProbability chosen, List<TokenLogProbability> top) {
    /** Most tokens of {@link #top}. */
    public static final int MAX_TOP = 20;

    /**
     * Makes the list unmodifiable.
     *
     * @param chosen the emitted token
     * @param top the most likely tokens, best first; may be empty
     * @throws NullPointerException if an argument is null
     */
    public LogProbabilities {
        Objects.requireNonNull(chosen, "chosen is null: give the emitted token");
        top = List.copyOf(Objects.requireNonNull(top, "top is null: give a list, empty for none"));
    }
}
