package io.hydra4j.heads;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.HydraException;
import io.hydra4j.draft.BaseModel;
import io.hydra4j.draft.Drafter;
import io.hydra4j.golden.Original;
import io.hydra4j.model.DecoderConfig;
import io.hydra4j.model.DecoderModel;
import io.hydra4j.model.ModelFiles;
import io.hydra4j.model.PassBuffers;
import io.hydra4j.runtime.Activation;
import io.hydra4j.runtime.Backend;
import io.hydra4j.runtime.Batch;
import io.hydra4j.runtime.Freed;
import io.hydra4j.runtime.TopK;
import java.util.List;
import java.util.function.DoubleConsumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What cannot be made whole leaves nothing open: otherwise the backend's threads and memory would stay for good. */
class FailedMakingTest {
    private final Backend backend = Backend.openCpu(1);

    private DecoderModel base() {
        return DecoderModel.load(backend, ModelFiles.open(Original.base()), null, loaded -> {});
    }

    private DraftHeads heads(DecoderModel base, String name, DoubleConsumer progress) {
        return DraftHeads.load(base, HeadsFiles.open(Original.heads(name), base.config()), null, 0, progress);
    }

    /** Fails when it is called for the n-th time, counted from 0. */
    private static DoubleConsumer failing(int n) {
        int[] calls = {0};
        return loaded -> {
            if (calls[0]++ == n) {
                throw new IllegalStateException("call " + n);
            }
        };
    }

    @Test
    void activationsOfWhichOneIsTooLarge() {
        // 2^20 rows of 2^20 gated values are 4 TiB; the buffers before them are 32 MiB.
        DecoderConfig config =
                new DecoderConfig(1, 8, 1, 1, 8, 1 << 20, 8, 8, 10000, 1e-5f, Activation.SILU, true, -1, List.of());
        assertThrows(HydraException.class, () -> PassBuffers.create(backend, config, 1 << 20));
        Freed.assertFreedWhenClosed(backend);
    }

    @Test
    void aModelWhoseLoadingFailsAtAnyTensor() {
        int tensors = ModelFiles.open(Original.base()).tensors().all().size();
        for (int n = 0; n < tensors; n++) {
            DoubleConsumer failing = failing(n);
            assertThrows(
                    IllegalStateException.class,
                    () -> DecoderModel.load(backend, ModelFiles.open(Original.base()), null, failing));
        }
        Freed.assertFreedWhenClosed(backend);
    }

    @ParameterizedTest
    @ValueSource(strings = {"hydra-ungrounded", "hydra", "hydra-plus-plus"})
    void headsWhoseLoadingFailsAtAnyTensor(String name) {
        try (DecoderModel base = base()) {
            int tensors = HeadsFiles.open(Original.heads(name)).all().size();
            for (int n = 0; n < tensors; n++) {
                DoubleConsumer failing = failing(n);
                assertThrows(IllegalStateException.class, () -> heads(base, name, failing));
            }
        }
        Freed.assertFreedWhenClosed(backend);
    }

    @ParameterizedTest
    @ValueSource(strings = {"hydra-ungrounded", "hydra", "hydra-plus-plus"})
    void aDrafterWhoseLastPartCannotBeMade(String name) {
        try (DecoderModel base = base();
                DraftHeads heads = heads(base, name, loaded -> {});
                Batch batch = Batch.create(backend, 1, base.pagesPerSession())) {
            DecoderConfig config = base.config();
            BaseModel model =
                    new BaseModel(backend, base.embedding(), config.vocabulary(), config.hidden(), config.context());
            HydraException refused = assertThrows(
                    HydraException.class,
                    () -> heads.open(new Drafter.Loop(model, batch, TopK.MAX_K + 1, 64, 64, null)));
            assertTrue(refused.getMessage().contains("" + TopK.MAX_K), refused.getMessage());
            assertEquals(4, heads.config().heads());
        }
        Freed.assertFreedWhenClosed(backend);
    }
}
