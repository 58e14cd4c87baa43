package io.hydra4j;

import io.hydra4j.model.DecoderConfig;
import io.hydra4j.model.DecoderModel;
import io.hydra4j.runtime.Activation;
import io.hydra4j.runtime.Backend;
import io.hydra4j.runtime.Resources;
import io.hydra4j.runtime.WeightType;
import java.util.List;

/** A model of pseudo-random weights whose step takes a few microseconds. */
final class TinyModel {
    private static final int HIDDEN = 16;
    private static final int VOCABULARY = 32;
    private static final int CONTEXT = 1024;

    private static final Backend BACKEND = Backend.openCpu(1);
    private static final HydraModel MODEL = open(() -> {});

    private TinyModel() {}

    /** @param freed called as the model is freed */
    static HydraModel open(Runnable freed) {
        DecoderConfig config = new DecoderConfig(
                1, HIDDEN, 2, 2, 8, HIDDEN, VOCABULARY, CONTEXT, 10000f, 1e-5f, Activation.SILU, true, -1, List.of());
        ModelInfo.Builder info = new ModelInfo.Builder();
        info.context = CONTEXT;
        info.vocabulary = VOCABULARY;
        Resources owned = new Resources();
        DecoderModel base = owned.own(DecoderModel.random(BACKEND, config, WeightType.F32, 1));
        owned.own(freed::run);
        return new HydraModel(base, null, null, new ModelInfo(info), null, null, owned);
    }

    static TokenStream stream() {
        return stream(MODEL);
    }

    /** Two tokens. */
    static TokenStream stream(HydraModel model) {
        return model.stream(
                new int[] {1}, GenerationOptions.DEFAULT.withMaxTokens(2).withIgnoreEnd(true));
    }
}
