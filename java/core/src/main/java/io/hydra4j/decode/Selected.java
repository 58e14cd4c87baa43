package io.hydra4j.decode;

import io.hydra4j.runtime.Buffer;
import io.hydra4j.runtime.TopK;
import java.util.ArrayList;
import java.util.List;

/**
 * What a pass has selected and how likely it was; valid until the next pass of its kind.
 *
 * @param tokens [rows] that were selected
 * @param likelihoods {@code [rows][2]}: the selected token's logit, and the logarithm of the sum of all logits' exponentials
 * @param best the most likely tokens of each row
 * @param logits {@code float[rows][vocabulary]}
 */
record Selected(int[] tokens, float[] likelihoods, TopK best, Buffer logits, int vocabulary) {
    /**
     * How likely a token was at a row.
     *
     * @param token the selected one, or another that a loop of the user's own has taken
     * @param top how many of the best tokens are told
     */
    LogProbabilities at(int row, int token, int top) {
        float sum = likelihoods[2 * row + 1];
        float logit =
                token == tokens[row] ? likelihoods[2 * row] : logits.readFloats((long) row * vocabulary + token, 1)[0];
        List<TokenLogProbability> most = new ArrayList<>();
        for (int i = 0; i < Math.min(top, best.k()); i++) {
            most.add(new TokenLogProbability(best.id(row, i), best.value(row, i) - sum));
        }
        return new LogProbabilities(new TokenLogProbability(token, logit - sum), most);
    }
}
