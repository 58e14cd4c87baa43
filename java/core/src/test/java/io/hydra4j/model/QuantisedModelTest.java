package io.hydra4j.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.decode.Session;
import io.hydra4j.decode.Tree;
import io.hydra4j.format.Tensor;
import io.hydra4j.format.TensorType;
import io.hydra4j.golden.Isa;
import io.hydra4j.golden.Loaded;
import io.hydra4j.golden.Logits;
import io.hydra4j.runtime.InstructionSet;
import io.hydra4j.runtime.WeightType;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Models in a file's own block types, on the CPU. */
class QuantisedModelTest {
    private static final int[] PROMPT = {1, 39, 17, 4, 22, 8, 31, 5, 30, 11};

    /** As files in Q4_K_M have them, where some rows are not whole super-blocks. */
    private static final TensorType[] MIX = {
        TensorType.Q6_K, TensorType.Q4_K, TensorType.Q5_0, TensorType.Q8_0, TensorType.Q5_K, TensorType.Q5_1
    };

    @TempDir
    private Path folder;

    @ParameterizedTest
    @EnumSource(names = {"Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q4_K", "Q5_K", "Q6_K"})
    void theWeightsStayAsTheyAreAndComputeWhatTheyMean(TensorType type) {
        check(type);
    }

    @Test
    void typesAreMixedAsTheFileHasThem() {
        check(MIX);
    }

    private void check(TensorType... types) {
        Path file = QuantisedModel.write(folder.resolve("model.gguf"), types);
        try (Loaded kept = Loaded.open(file, null, null);
                Loaded exact = Loaded.open(file, null, WeightType.F32);
                Session session = kept.session(Tree.ROOT);
                Session reference = exact.session(Tree.ROOT)) {
            assertEquals(List.of(), kept.base().notices());
            assertEquals(types[0].id(), kept.base().embedding().type().id());
            for (int row = 0; row < QuantisedModel.VOCABULARY; row++) {
                assertArrayEquals(
                        exact.base().embedding().read(row),
                        kept.base().embedding().read(row));
            }
            float[][] expected = Logits.prefill(reference, PROMPT);
            float[][] found = Logits.prefill(session, PROMPT);
            double square = 0;
            double error = 0;
            for (int i = 0; i < PROMPT.length; i++) {
                for (int token = 0; token < QuantisedModel.VOCABULARY; token++) {
                    square += Math.pow(expected[i][token], 2);
                    error += Math.pow(expected[i][token] - found[i][token], 2);
                }
            }
            // Activations are rounded to 8 bits.
            assertTrue(Math.sqrt(error / square) < 0.02, "relative error " + Math.sqrt(error / square));
        }
    }

    @Test
    void matricesTakeWhatTheFileDoes() {
        Path file = QuantisedModel.write(folder.resolve("model.gguf"), MIX);
        long bytes = ModelFiles.open(file).tensors().all().stream()
                .filter(tensor -> tensor.shape().size() == 2)
                .mapToLong(Tensor::bytes)
                .sum();
        try (Loaded kept = Loaded.open(file, null, null)) {
            // 40 rows of the embedding lie in three tiles of 16.
            assertEquals(bytes, kept.base().bytesPerPass(), 0.04 * bytes);
        }
    }

    @ParameterizedTest
    @EnumSource(
            value = InstructionSet.class,
            names = {"AVX512", "AVX2"})
    void oneRowAtATimeAndManyGiveTheBitsOfThePortableCode(InstructionSet isa) {
        Isa.assumeThatItRuns(isa);
        Path file = QuantisedModel.write(folder.resolve("model.gguf"), MIX);
        try (Loaded portable = Loaded.open(file, null, null, 1, InstructionSet.PORTABLE);
                Loaded fast = Loaded.open(file, null, null, 2, isa);
                Session together = fast.session(Tree.ROOT);
                Session alone = portable.session(Tree.ROOT)) {
            float[][] found = Logits.prefill(together, PROMPT);
            for (int i = 0; i < PROMPT.length; i++) {
                assertArrayEquals(Logits.prefill(alone, new int[] {PROMPT[i]})[0], found[i]);
            }
        }
    }
}
