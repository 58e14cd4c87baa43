package io.hydra4j;

import io.hydra4j.decode.Tree;
import java.util.List;
import java.util.function.BooleanSupplier;

/**
 * How to generate. Immutable; the {@code with} methods give changed copies.
 *
 * @param method how tokens are guessed
 * @param tree the tree of every step; null for {@link Tree#DEFAULT} cut to the heads' depth, or with {@link Method#AUTO} a
 *     measured choice
 * @param maxTokens the most tokens to generate, at least 1; exact
 * @param stop strings that end the text; none may be empty
 * @param ignoreEnd whether to go on behind an end-of-sequence token
 * @param cancelled asked before every step; true ends the generation. Called in the generating thread
 */
public record GenerationOptions(
        Method method, Tree tree, int maxTokens, List<String> stop, boolean ignoreEnd, BooleanSupplier cancelled) {
    /** {@link Method#AUTO}, 256 tokens, no stop strings. */
    public static final GenerationOptions DEFAULT =
            new GenerationOptions(Method.AUTO, null, 256, List.of(), false, () -> false);

    /** Checks the values. */
    public GenerationOptions {
        stop = List.copyOf(stop);
        if (maxTokens < 1) {
            throw new HydraException("maxTokens is " + maxTokens + ", must be positive");
        }
        if (stop.contains("")) {
            throw new HydraException("a stop string is empty: leave it out");
        }
    }

    public GenerationOptions withMethod(Method method) {
        return new GenerationOptions(method, tree, maxTokens, stop, ignoreEnd, cancelled);
    }

    public GenerationOptions withTree(Tree tree) {
        return new GenerationOptions(method, tree, maxTokens, stop, ignoreEnd, cancelled);
    }

    public GenerationOptions withMaxTokens(int maxTokens) {
        return new GenerationOptions(method, tree, maxTokens, stop, ignoreEnd, cancelled);
    }

    public GenerationOptions withStop(List<String> stop) {
        return new GenerationOptions(method, tree, maxTokens, stop, ignoreEnd, cancelled);
    }

    public GenerationOptions withIgnoreEnd(boolean ignoreEnd) {
        return new GenerationOptions(method, tree, maxTokens, stop, ignoreEnd, cancelled);
    }

    public GenerationOptions withCancelled(BooleanSupplier cancelled) {
        return new GenerationOptions(method, tree, maxTokens, stop, ignoreEnd, cancelled);
    }
}
