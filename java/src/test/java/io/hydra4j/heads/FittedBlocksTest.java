package io.hydra4j.heads;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.runtime.WeightType;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class FittedBlocksTest {
    private static double error(WeightType type, float[] values, byte[] encoded) {
        float[] stored = type.decode(ByteBuffer.wrap(encoded));
        double error = 0;
        for (int i = 0; i < values.length; i++) {
            error += Math.pow(values[i] - stored[i], 2);
        }
        return error;
    }

    @ParameterizedTest
    @EnumSource(
            value = WeightType.class,
            names = {"Q4_0", "Q4_1"})
    void areNearerToTheValuesThanPlainConversion(WeightType type) {
        Random random = new Random(5);
        float[] values = new float[64 * 32];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) (0.02 * random.nextGaussian());
        }
        byte[] fitted = FittedBlocks.encode(type, values);
        assertEquals(type.bytes(values.length), fitted.length);
        assertTrue(error(type, values, fitted) < 0.97 * error(type, values, type.encode(values)));
    }

    @ParameterizedTest
    @EnumSource(
            value = WeightType.class,
            names = {"Q4_0", "Q4_1"})
    void blocksOfOneValueAreKept(WeightType type) {
        float[] values = new float[96];
        Arrays.fill(values, 32, 64, 0.5f);
        Arrays.fill(values, 64, 96, -2);
        assertArrayEquals(values, type.decode(ByteBuffer.wrap(FittedBlocks.encode(type, values))), 1e-3f);
    }

    @ParameterizedTest
    @EnumSource(
            value = WeightType.class,
            names = {"F32", "F16", "BF16", "Q8_0"})
    void otherTypesAreConvertedPlainly(WeightType type) {
        float[] values = {
            1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29,
            30, 31, 32
        };
        assertArrayEquals(type.encode(values), FittedBlocks.encode(type, values));
    }
}
