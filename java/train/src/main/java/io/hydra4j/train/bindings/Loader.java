package io.hydra4j.train.bindings;

/**
 * Takes the place of JavaCPP's own {@code Loader} in the generated classes, as the core's does: {@link TrainLibrary} loads the
 * libraries.
 */
final class Loader {
    private Loader() {}

    /** @throws IllegalStateException if {@link TrainLibrary#load()} has not been called */
    static void load() {
        TrainLibrary.requireLoaded();
    }
}
