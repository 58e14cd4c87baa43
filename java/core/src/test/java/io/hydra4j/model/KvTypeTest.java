package io.hydra4j.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.HydraException;
import io.hydra4j.HydraModel;
import io.hydra4j.OpenOptions;
import io.hydra4j.golden.Original;
import io.hydra4j.runtime.Backend;
import io.hydra4j.runtime.BackendKind;
import io.hydra4j.runtime.Backends;
import io.hydra4j.runtime.KvType;
import io.hydra4j.runtime.WeightType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class KvTypeTest {
    private static final OpenOptions CPU =
            OpenOptions.DEFAULT.withBackend(BackendKind.CPU).withThreads(1);

    @ParameterizedTest
    @EnumSource(
            value = KvType.class,
            names = {"AUTO", "F32"})
    void theCpuKeepsFloats(KvType kv) {
        try (HydraModel model = HydraModel.open(Original.base(), CPU.withKv(kv).withWeights(WeightType.Q8_0))) {
            assertEquals(WeightType.F32, model.info().kvType());
        }
    }

    @Test
    void theCpuRefusesHalvesWithTheRemedyBeforeAnythingIsLoaded() {
        OpenOptions options = CPU.withKv(KvType.F16).withProgress(fraction -> {
            throw new AssertionError("weights are being loaded");
        });
        HydraException refused = assertThrows(HydraException.class, () -> HydraModel.open(Original.base(), options));
        assertTrue(refused.getMessage().contains("(kv) is f16"), refused.getMessage());
        assertTrue(refused.getMessage().contains("take auto or f32"), refused.getMessage());
    }

    @Test
    void whereTheCpuStandsInTheRefusalSaysWhy() {
        try (Backend backend = Backends.openCpu(1, "there is no driver")) {
            HydraException refused = assertThrows(HydraException.class, () -> KvType.F16.on(backend, false));
            assertTrue(refused.getMessage().contains("CUDA cannot (there is no driver)"), refused.getMessage());
        }
    }
}
