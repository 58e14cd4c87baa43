package io.hydra4j.model;

import io.hydra4j.format.Tensor;
import io.hydra4j.runtime.Matrix;

/** Where a loader takes the values of tensors from. Not thread-safe. */
sealed interface WeightSource extends AutoCloseable permits FileWeights, RandomWeights {
    /**
     * Writes all rows of a matrix of the tensor's shape.
     *
     * @param targetRows {@code [rows]}: where each row of the tensor goes; null to keep the order
     */
    void write(Tensor tensor, Matrix matrix, int[] targetRows);

    /** The values of a tensor as float32. */
    float[] values(Tensor tensor);

    @Override
    void close();
}
