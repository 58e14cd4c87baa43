package io.hydra4j.runtime.bindings;

import io.hydra4j.runtime.NativeLibrary;

/**
 * Takes the place of JavaCPP's own {@code Loader} in the generated classes, which name it by its simple name: a class of
 * the same package comes before one imported on demand. The libraries are loaded by {@link NativeLibrary}, without
 * JavaCPP's cache in the home directory.
 */
final class Loader {
    private Loader() {}

    /** @throws IllegalStateException if {@link NativeLibrary#load()} has not been called */
    static void load() {
        NativeLibrary.requireLoaded();
    }
}
