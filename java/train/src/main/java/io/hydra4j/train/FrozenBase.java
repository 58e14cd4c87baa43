package io.hydra4j.train;

import io.hydra4j.model.DecoderConfig;
import io.hydra4j.train.device.TrainBuffer;

/**
 * What heads see of the base, beside its states.
 *
 * @param embedding {@code [vocabulary][hidden]}
 * @param lmHead {@code [draft vocabulary][hidden]}; the embedding itself where they are the same
 * @param teacher {@code [draft vocabulary][hidden]}: the LM head with the base's factor of logits; {@code lmHead} itself where that is 1
 * @param indices {@code [vocabulary]}: the row of the LM head for a token, -1 where it has none; null where it is the token itself
 */
record FrozenBase(DecoderConfig config, TrainBuffer embedding, TrainBuffer lmHead, TrainBuffer teacher, int[] indices) {
    int index(int token) {
        return indices == null ? token : indices[token];
    }

    long draftVocabulary() {
        return lmHead.count() / config.hidden();
    }
}
