package io.hydra4j.benchmarks;

import io.hydra4j.runtime.Backend;
import io.hydra4j.runtime.Buffer;
import io.hydra4j.runtime.Matrix;
import io.hydra4j.runtime.WeightType;
import java.util.Random;

/** Matrices and buffers of random values. */
final class Fill {
    private static final long SEED = 1;
    private static final float SCALE = 0.05f;

    private Fill() {}

    /** A matrix of values between -0.05 and 0.05. */
    static Matrix matrix(Backend backend, WeightType type, int rows, int columns) {
        Matrix matrix = Matrix.create(backend, type, rows, columns);
        matrix.fill(SEED, SCALE);
        return matrix;
    }

    /** A buffer of 32-bit floats between -1 and 1. */
    static Buffer buffer(Backend backend, int count) {
        Random random = new Random(SEED);
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = 2 * random.nextFloat() - 1;
        }
        Buffer buffer = Buffer.floats(backend, count);
        buffer.write(0, values);
        return buffer;
    }
}
