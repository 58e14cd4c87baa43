package io.hydra4j.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.hydra4j.decode.Session;
import io.hydra4j.decode.Tree;
import io.hydra4j.format.TensorType;
import io.hydra4j.golden.Cuda;
import io.hydra4j.golden.Loaded;
import io.hydra4j.golden.Logits;
import io.hydra4j.runtime.Backend;
import io.hydra4j.runtime.KvType;
import io.hydra4j.runtime.WeightType;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

@ExtendWith(Cuda.class)
class QuantisedModelCudaTest {
    @TempDir
    private Path folder;

    @Test
    void theWeightsStayAsTheyAreAndComputeWhatTheyMean() {
        check(TensorType.Q4_K);
    }

    @Test
    void typesAreMixedAsTheFileHasThem() {
        check(TensorType.Q6_K, TensorType.Q4_K, TensorType.Q5_K, TensorType.Q5_0, TensorType.Q5_1);
    }

    private void check(TensorType... types) {
        Path file = QuantisedModel.write(folder.resolve("model.gguf"), types);
        // Keys and values are halves beside halves too, but not beside floats.
        try (Loaded kept = Cuda.open(file, null, null);
                Loaded exact = Cuda.open(file, null, WeightType.F32);
                Loaded halves = Cuda.open(file, null, WeightType.F16);
                Session session = kept.session(Tree.ROOT);
                Session reference = halves.session(Tree.ROOT)) {
            assertEquals(List.of(), kept.base().notices());
            assertEquals(types[0].id(), kept.base().embedding().type().id());
            for (int row = 0; row < QuantisedModel.VOCABULARY; row++) {
                assertArrayEquals(
                        exact.base().embedding().read(row),
                        kept.base().embedding().read(row));
            }
            int[] prompt = {1, 39, 17, 4};
            float[][] expected = Logits.prefill(reference, prompt);
            float[][] found = Logits.prefill(session, prompt);
            for (int i = 0; i < prompt.length; i++) {
                // The reference's weights are rounded to halves.
                assertArrayEquals(expected[i], found[i], 3e-3f);
            }
        }
    }

    @Test
    void theNeedOfMemoryCountsThemAsTheyAre() {
        ModelFiles files = ModelFiles.open(QuantisedModel.write(folder.resolve("model.gguf"), TensorType.Q4_K));
        long blocks = files.tensors().all().stream()
                        .filter(tensor -> tensor.shape().size() == 2)
                        .mapToLong(tensor -> (tensor.rows() + 15) / 16 * 16 * tensor.columns())
                        .sum()
                / 256;
        try (Backend backend = Backend.openCuda(0)) {
            long kept = MemoryNeed.of(backend, files, null, KvType.AUTO).bytes();
            long converted =
                    MemoryNeed.of(backend, files, WeightType.F16, KvType.AUTO).bytes();
            assertEquals(blocks * (256 * 2 - 148), converted - kept);
        }
    }
}
