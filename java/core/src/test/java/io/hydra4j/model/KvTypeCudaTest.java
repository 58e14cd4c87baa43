package io.hydra4j.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.GenerationOptions;
import io.hydra4j.HydraException;
import io.hydra4j.HydraModel;
import io.hydra4j.OpenOptions;
import io.hydra4j.decode.Tree;
import io.hydra4j.golden.Cuda;
import io.hydra4j.golden.Json;
import io.hydra4j.golden.Loaded;
import io.hydra4j.golden.Original;
import io.hydra4j.runtime.Backend;
import io.hydra4j.runtime.BackendKind;
import io.hydra4j.runtime.KvType;
import io.hydra4j.runtime.WeightType;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

@ExtendWith(Cuda.class)
class KvTypeCudaTest {
    @ParameterizedTest
    @CsvSource({"F32, AUTO, F32", "F32, F16, F16", "F16, AUTO, F16", "F16, F32, F32"})
    void keysAndValuesAreKeptAsAskedAndTheTextStays(WeightType weights, KvType kv, WeightType expected) {
        Json golden = Original.golden("golden-hydra").get("cases").at(0);
        OpenOptions options = OpenOptions.DEFAULT
                .withBackend(BackendKind.CUDA)
                .withHeads(Original.heads("hydra-plus-plus"))
                .withWeights(weights)
                .withKv(kv);
        try (HydraModel model = HydraModel.open(Original.base(), options)) {
            assertEquals(expected, model.info().kvType());
            GenerationOptions few = GenerationOptions.DEFAULT.withMaxTokens(4).withTree(Tree.chain(2));
            assertEquals(
                    golden.get("greedy_ids").integers().subList(0, 4),
                    Arrays.stream(model.generate(golden.get("prompt_ids").ints(), few)
                                    .ids())
                            .boxed()
                            .toList());
        }
        try (Loaded loaded = Loaded.open(Backend.openCuda(0), Original.base(), null, weights, kv)) {
            // 2 layers of 2 heads of 16 keys and 16 values, 32 positions a page.
            assertEquals(
                    expected.bytes(2 * 2 * 2 * 16 * 32), loaded.base().pool().pageBytes());
        }
    }

    @Test
    void weightsOfR8AreRefusedWithTheBackendThatTakesThem() {
        OpenOptions options = OpenOptions.DEFAULT.withBackend(BackendKind.CUDA).withWeights(WeightType.R8);
        String message = assertThrows(HydraException.class, () -> HydraModel.open(Original.base(), options))
                .getMessage();
        assertTrue(
                message.contains(
                        "weights cannot be converted to R8 on the CUDA backend: choose F32, F16, BF16, Q8_0, Q4_0"
                                + " or Q4_1, or the CPU backend for R8"),
                message);
    }

    @Test
    void floatsNeedTwiceTheMemoryOfHalvesWhateverTheMatrices() {
        ModelFiles files = ModelFiles.open(Original.base());
        try (Backend backend = Backend.openCuda(0)) {
            for (WeightType weights : new WeightType[] {WeightType.F32, WeightType.Q8_0}) {
                assertEquals(
                        MemoryNeed.sessionBytes(files.config(), WeightType.F16),
                        MemoryNeed.of(backend, files, weights, KvType.F32).bytes()
                                - MemoryNeed.of(backend, files, weights, KvType.F16)
                                        .bytes());
            }
        }
    }
}
