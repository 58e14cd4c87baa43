package io.hydra4j.model;

import static io.hydra4j.model.DecoderConfig.MAX_ROPE_FACTOR;

import io.hydra4j.FormatException;
import io.hydra4j.format.Tensor;

/** What frequencies are divided by where a GGUF file has that as a tensor: known when its weights are read. */
final class RopeFactors {
    private RopeFactors() {}

    /**
     * @param tensor of the factors, or null
     * @return {@code [pairs that rotate]}, or null
     * @throws FormatException.InvalidValue if one makes no sense
     */
    static float[] of(WeightLoader loader, Tensor tensor) {
        if (tensor == null) {
            return null;
        }
        float[] factors = loader.values(tensor);
        for (float factor : factors) {
            if (!(factor >= 1 / MAX_ROPE_FACTOR && factor <= MAX_ROPE_FACTOR)) {
                throw new FormatException.InvalidValue(
                        tensor.file(),
                        tensor.name(),
                        factor,
                        "numbers from " + 1 / MAX_ROPE_FACTOR + " to " + MAX_ROPE_FACTOR);
            }
        }
        return factors;
    }
}
