package io.hydra4j.access;

import io.hydra4j.HydraModel;
import io.hydra4j.heads.DraftHeads;
import io.hydra4j.heads.HeadsTensors;
import io.hydra4j.model.DecoderModel;
import io.hydra4j.model.ModelFiles;
import io.hydra4j.text.Tokenizer;
import java.lang.invoke.MethodHandles;

/**
 * Makes models of loaded parts, whose types are not exported: what does so is handed over here, as {@link
 * io.hydra4j.decode.access.Sessions} does. Thread-safe.
 */
public final class Models {
    /** Makes a model of parts. */
    @FunctionalInterface
    public interface Constructor {
        /**
         * Makes a model, which does not close its parts.
         *
         * @param files what the base was loaded from
         * @param tensors what the heads were loaded from
         */
        HydraModel make(
                ModelFiles files, DecoderModel base, HeadsTensors tensors, DraftHeads heads, Tokenizer tokenizer);
    }

    private static volatile Constructor constructor;

    private Models() {}

    /** Called once, by the package of models. */
    public static void handOver(Constructor made) {
        constructor = made;
    }

    /** As {@link Constructor#make}. */
    public static HydraModel of(
            ModelFiles files, DecoderModel base, HeadsTensors tensors, DraftHeads heads, Tokenizer tokenizer) {
        if (constructor == null) {
            try {
                // Not in a static initializer: two threads could wait for each other's of the two classes.
                MethodHandles.lookup().ensureInitialized(HydraModel.class);
            } catch (IllegalAccessException e) {
                throw new IllegalStateException(e);
            }
        }
        return constructor.make(files, base, tensors, heads, tokenizer);
    }
}
