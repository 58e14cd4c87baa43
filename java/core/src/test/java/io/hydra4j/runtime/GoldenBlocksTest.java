package io.hydra4j.runtime;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import io.hydra4j.format.GgufFile;
import io.hydra4j.format.Tensor;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Blocks beside the values that the Python package gguf 0.19 gives for them: {@code quants/blocks.gguf} has for each type two rows
 * of 512 values in random blocks whose f16 scales and minimums are normal, with a deviation of 0.02, and under the same name with
 * {@code .values} what {@code gguf.quants.dequantize} makes of them.
 */
class GoldenBlocksTest {
    private static final int COLUMNS = 512;

    private final Path path = Path.of("src/test/resources/quants/blocks.gguf");
    private final GgufFile file = GgufFile.read(path);

    @ParameterizedTest
    @EnumSource(names = {"Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q4_K", "Q5_K", "Q6_K"})
    void decodeAndMatricesGiveTheirValues(WeightType type) throws IOException {
        ByteBuffer blocks = bytes(type.name());
        float[] expected = new float[2 * COLUMNS];
        bytes(type.name() + ".values").asFloatBuffer().get(expected);
        assertArrayEquals(expected, type.decode(blocks.duplicate()));
        try (Backend backend = Backend.openCpu(1);
                Matrix matrix = Matrix.create(backend, type, 2, COLUMNS)) {
            matrix.write(0, 2, type, blocks);
            for (int row = 0; row < 2; row++) {
                float[] values = new float[COLUMNS];
                System.arraycopy(expected, row * COLUMNS, values, 0, COLUMNS);
                assertArrayEquals(values, matrix.read(row));
            }
        }
    }

    private ByteBuffer bytes(String name) throws IOException {
        Tensor tensor = file.tensors().get(name);
        try (FileChannel channel = FileChannel.open(path)) {
            ByteBuffer bytes = ByteBuffer.allocateDirect((int) tensor.bytes()).order(ByteOrder.LITTLE_ENDIAN);
            channel.read(bytes, tensor.offset());
            return bytes.flip().order(ByteOrder.LITTLE_ENDIAN);
        }
    }
}
