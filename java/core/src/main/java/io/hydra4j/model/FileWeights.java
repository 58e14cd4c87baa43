package io.hydra4j.model;

import io.hydra4j.format.Tensor;
import io.hydra4j.runtime.Matrix;

/** Weights of files, which stay mapped until it is closed. */
final class FileWeights implements WeightSource {
    private final WeightFiles files = new WeightFiles();

    @Override
    public void write(Tensor tensor, Matrix matrix, int[] targetRows) {
        matrix.write(
                0, tensor.rows(), targetRows, tensor.type().id(), files.of(tensor), tensor.offset(), tensor.bytes());
    }

    @Override
    public float[] values(Tensor tensor) {
        return files.of(tensor).floats(tensor.type().id(), tensor.offset(), tensor.bytes(), tensor.values());
    }

    @Override
    public void close() {
        files.close();
    }
}
