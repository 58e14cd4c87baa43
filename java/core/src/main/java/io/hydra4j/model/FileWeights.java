package io.hydra4j.model;

import io.hydra4j.format.Tensor;
import io.hydra4j.runtime.MappedFile;
import io.hydra4j.runtime.Matrix;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;

/** Weights of files, which stay mapped until it is closed. */
final class FileWeights implements WeightSource {
    private final Map<Path, MappedFile> files = new HashMap<>();

    @Override
    public void write(Tensor tensor, Matrix matrix, int[] targetRows) {
        matrix.write(0, tensor.rows(), targetRows, tensor.type().id(), file(tensor), tensor.offset(), tensor.bytes());
    }

    @Override
    public float[] values(Tensor tensor) {
        return file(tensor).floats(tensor.type().id(), tensor.offset(), tensor.bytes(), tensor.values());
    }

    private MappedFile file(Tensor tensor) {
        return files.computeIfAbsent(tensor.file(), MappedFile::open);
    }

    @Override
    public void close() {
        files.values().forEach(MappedFile::close);
        files.clear();
    }
}
