package io.hydra4j.benchmarks;

import io.hydra4j.runtime.Backend;
import io.hydra4j.runtime.Buffer;
import io.hydra4j.runtime.Matrix;
import io.hydra4j.runtime.WeightType;
import java.nio.ByteBuffer;
import java.util.Random;

/** Matrices and buffers of random values. */
final class Fill {
    private static final int ROWS_AT_A_TIME = 16;

    private Fill() {}

    /** A matrix of values between -0.05 and 0.05; its rows repeat, for nothing measured looks at them. */
    static Matrix matrix(Backend backend, WeightType type, int rows, int columns) {
        Matrix matrix = Matrix.create(backend, type, rows, columns);
        float[] values = floats(ROWS_AT_A_TIME * columns, 0.05f);
        byte[] encoded = type.encode(values);
        for (int row = 0; row < rows; row += ROWS_AT_A_TIME) {
            int count = Math.min(ROWS_AT_A_TIME, rows - row);
            ByteBuffer source = ByteBuffer.wrap(encoded, 0, encoded.length / ROWS_AT_A_TIME * count);
            matrix.write(row, count, type, source);
        }
        return matrix;
    }

    /** A buffer of 32-bit floats between -1 and 1. */
    static Buffer buffer(Backend backend, int count) {
        Buffer buffer = Buffer.floats(backend, count);
        buffer.write(0, floats(count, 1));
        return buffer;
    }

    private static float[] floats(int count, float scale) {
        Random random = new Random(1);
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = scale * (2 * random.nextFloat() - 1);
        }
        return values;
    }
}
