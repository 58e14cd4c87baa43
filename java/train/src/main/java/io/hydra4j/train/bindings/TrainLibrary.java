package io.hydra4j.train.bindings;

import io.hydra4j.runtime.NativeLibrary;
import java.util.List;

/** Loads the native library of training, once, from where {@link NativeLibrary} takes its own. Thread-safe. */
public final class TrainLibrary {
    private static final List<String> NAMES = List.of("libhydra4j_train.so", "libjnihydra4j_train.so");

    private static volatile boolean loaded;
    private static boolean complete;

    private TrainLibrary() {}

    /** @throws io.hydra4j.runtime.LibraryLoadException if the library cannot be loaded here, or is of another build */
    @SuppressWarnings("restricted")
    public static synchronized void load() {
        if (complete) {
            return;
        }
        NativeLibrary.load(TrainLibrary.class, NAMES, System::load);
        loaded = true;
        NativeLibrary.requireAbi(
                "the native library of training",
                NativeTrain.hydra_train_abi_version(),
                NativeTrain.HYDRA_TRAIN_ABI_VERSION);
        complete = true;
    }

    static void requireLoaded() {
        if (!loaded) {
            throw new IllegalStateException(
                    "the native library of training is not loaded: call TrainLibrary.load() first");
        }
    }
}
