package io.hydra4j.decode;

import java.util.ArrayList;
import java.util.List;

/**
 * How likely the tokens are that the steps of a session emit. A root was selected in the pass before the step that emits it, and is
 * kept here until then. Not thread-safe.
 */
final class RootLikelihoods {
    private final int top;
    private final LogProbabilities[] roots;

    /** @param top how many of the most likely tokens are told of each */
    RootLikelihoods(int sequences, int top) {
        roots = new LogProbabilities[sequences];
        this.top = top;
    }

    /** A pass has selected the root of a sequence at one of its rows. */
    void selected(int sequence, int root, Selected pass, int row) {
        roots[sequence] = pass.at(row, root, top);
    }

    /**
     * Of the tokens that a step has emitted.
     *
     * @param first the row of the sequence's root
     * @param root the token that was selected at the last accepted node
     */
    List<LogProbabilities> emitted(int sequence, int[] tokens, int[] path, Selected pass, int first, int root) {
        List<LogProbabilities> all = new ArrayList<>();
        all.add(of(tokens[0], roots[sequence]));
        for (int i = 1; i < tokens.length; i++) {
            all.add(pass.at(first + path[i - 1], tokens[i], top));
        }
        selected(sequence, root, pass, first + path[path.length - 1]);
        return all;
    }

    /** A loop of the user's own may have replaced the root: of what it set, the logits may be gone. */
    private static LogProbabilities of(int token, LogProbabilities selected) {
        if (selected.chosen().token() == token) {
            return selected;
        }
        float known = selected.top().stream()
                .filter(each -> each.token() == token)
                .map(TokenLogProbability::logProbability)
                .findFirst()
                .orElse(Float.NaN);
        return new LogProbabilities(new TokenLogProbability(token, known), selected.top());
    }
}
