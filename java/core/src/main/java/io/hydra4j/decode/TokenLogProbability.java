package io.hydra4j.decode;

/**
 * How likely a token is by the model's logits as they are: before bias, penalties, temperature and filters.
 *
 * @param token its id
 * @param logProbability the natural logarithm of its probability, at most 0; NaN of a token that a loop has set for itself where
 *     the session does not know it any more
 */
public record TokenLogProbability(int token, float logProbability) {}
