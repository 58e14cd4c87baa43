package io.hydra4j.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.InsufficientMemoryException;
import io.hydra4j.runtime.Activation;
import io.hydra4j.runtime.Backend;
import io.hydra4j.runtime.KvType;
import io.hydra4j.runtime.Matrix;
import io.hydra4j.runtime.WeightType;
import io.hydra4j.runtime.Workspace;
import java.util.List;
import org.junit.jupiter.api.Test;

class RandomWeightsTest {
    // Columns that are no multiple of a block's 32.
    private static final DecoderConfig CONFIG =
            new DecoderConfig(2, 40, 2, 1, 16, 100, 300, 64, 10000, 1e-5f, Activation.SILU, false, -1, List.of());

    private static DecoderTensors tensors(WeightType type) {
        return DecoderTensors.fromHuggingFace(
                RandomWeights.tensors(type), CONFIG, DecoderFamily.LLAMA, false, List.of());
    }

    @Test
    void normsAreOnesAndBiasesZeros() {
        var table = RandomWeights.tensors(WeightType.Q8_0);
        var weights = new RandomWeights(1);
        assertArrayEquals(new float[] {1, 1, 1}, weights.values(table.requireVector("model.norm.weight", 3)));
        assertArrayEquals(new float[] {0, 0}, weights.values(table.requireVector("hydra_mlp.0.0.linear.bias", 2)));
    }

    @Test
    void productsKeepTheSizeOfWhatTheyMultiply() {
        try (Backend backend = Backend.openCpu(1);
                Matrix matrix = Matrix.create(backend, WeightType.F32, 40, 100)) {
            new RandomWeights(1).write(tensors(WeightType.F32).layers().get(0).down(), matrix, null);
            double squares = 0;
            for (int row = 0; row < 40; row++) {
                for (float value : matrix.read(row)) {
                    squares += value * value;
                }
            }
            assertEquals(1, squares / 40, 0.1);
        }
    }

    @Test
    void aModelIsRefusedThatNeedsMoreMemoryThanIsFree() {
        try (Backend backend = Backend.openCpu(1)) {
            MemoryNeed need = MemoryNeed.of(backend, CONFIG, tensors(WeightType.Q8_0), null, KvType.AUTO, 0);
            // Whole tiles of 16 rows and 32 columns, a block each row: 48 rows for 40, 112 for 100, 304 for 300.
            long layer = (32 + 16 + 16 + 112 + 112) * 2L + 48 * 1 + 48 * 4;
            long matrices = (2 * layer + 2 * 304 * 2) * 34;
            long vectors = (2 * 2 + 1) * 40 * 4;
            long cache = MemoryNeed.sessionBytes(CONFIG, WeightType.F32);
            // 64 rows of two hidden states, queries and what they attend to, keys and values, and the gated values.
            long activations = 64 * (2 * 40 + 2 * 32 + 2 * 16 + 100) * 4;
            // To sample: logits of 64 nodes and of the root before them, twelve rows of noise, and the history.
            long sampling = (64 + 1 + 12) * 300 * 4 + CONFIG.context() * 4L;
            // One table of rotation angles of 16 values a position, and those that it grew from.
            long angles = 2 * CONFIG.context() * 16 * 4;
            // The widest matrix is the feed-forward layer's last one, the tallest the embedding.
            long workspace = backend.workspace(new Workspace.Limits(64, 300, 100, 2, 16, CONFIG.context() + 64))
                    .bytes();
            assertEquals(matrices + vectors + cache + activations + sampling + angles + workspace, need.bytes());
            need.require(need.bytes());
            var refused = assertThrows(InsufficientMemoryException.class, () -> need.require(need.bytes() - 1));
            assertEquals(need.bytes(), refused.neededBytes());
            assertTrue(refused.getMessage().contains("missing"), refused.getMessage());
        }
    }
}
