package io.hydra4j.draft;

import io.hydra4j.runtime.Backend;
import io.hydra4j.runtime.Matrix;

/**
 * What a drafter may know of the model whose tokens it guesses. All of it belongs to the model, and is valid as long as that is open.
 *
 * @param backend on which the model runs, and what is recorded into its programs must lie
 * @param embedding {@code [vocabulary][hidden]}: each token's vector; a matrix of this model alone
 * @param vocabulary token ids are below it
 * @param hidden size of a hidden state
 * @param context most positions of a sequence
 */
public record BaseModel(Backend backend, Matrix embedding, int vocabulary, int hidden, int context) {}
