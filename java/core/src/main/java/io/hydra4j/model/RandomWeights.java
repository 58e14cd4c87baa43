package io.hydra4j.model;

import io.hydra4j.HydraException;
import io.hydra4j.format.Tensor;
import io.hydra4j.format.TensorTable;
import io.hydra4j.format.TensorType;
import io.hydra4j.runtime.Matrix;
import io.hydra4j.runtime.WeightType;
import java.util.Arrays;
import java.util.List;

/**
 * Weights from a seed: for measuring models whose files are not at hand. Matrices are uniform with a variance of 1 ÷ columns, so
 * that products keep the size of what they multiply; norms are ones, biases zeros.
 */
public final class RandomWeights implements WeightSource {
    private final long seed;

    RandomWeights(long seed) {
        this.seed = seed;
    }

    /**
     * Tensors that need no file: every one that is asked for.
     *
     * @param type the type of all matrices
     * @throws HydraException if no file has it
     */
    public static TensorTable tensors(WeightType type) {
        TensorType own = TensorType.ofId(type.id())
                .orElseThrow(() -> new HydraException("random weights of type " + type
                        + ", which no file has: choose one of " + List.of(TensorType.values())));
        return TensorTable.ofAny("random weights", own);
    }

    @Override
    public void write(Tensor tensor, Matrix matrix, int[] targetRows) {
        matrix.fill(seed * 0x9e3779b97f4a7c15L + tensor.name().hashCode(), (float) Math.sqrt(3.0 / tensor.columns()));
    }

    @Override
    public float[] values(Tensor tensor) {
        float[] values = new float[Math.toIntExact(tensor.values())];
        Arrays.fill(values, tensor.name().endsWith(".bias") ? 0 : 1);
        return values;
    }

    @Override
    public void close() {}
}
