package io.hydra4j.golden;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.hydra4j.runtime.Backend;
import io.hydra4j.runtime.WeightType;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.extension.AfterAllCallback;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * Gives a class of tests the CUDA library that the system property {@value #PROPERTY} names: the real one on a machine with a
 * GPU, or the emulation, for which tests choose few cases as it is about a thousand times as slow. Without the property they
 * are skipped; a library that does not work is a failure.
 */
public final class Cuda implements BeforeAllCallback, AfterAllCallback {
    private static final String PROPERTY = "hydra4j.test.cuda";
    private static final String LIBRARY = "hydra4j.cuda.library";

    private String before;

    @Override
    public void beforeAll(ExtensionContext context) {
        before = System.getProperty(LIBRARY);
        String library = System.getProperty(PROPERTY, "");
        assumeTrue(!library.isEmpty(), "no CUDA library: set -D" + PROPERTY + "=FILE");
        System.setProperty(LIBRARY, library);
    }

    /** Other tests must not find it. */
    @Override
    public void afterAll(ExtensionContext context) {
        if (before == null) {
            System.clearProperty(LIBRARY);
        } else {
            System.setProperty(LIBRARY, before);
        }
    }

    /** Whether there is no GPU below. */
    public static boolean emulated() {
        try (Backend backend = Backend.openCuda(0)) {
            return backend.description().contains("emulation");
        }
    }

    /** All cases on a GPU, and some of them on the emulation. */
    public static <T> List<T> cases(List<T> all, int from, int to) {
        return emulated() ? all.subList(from, to) : all;
    }

    /** One device and a model on it; as {@link Loaded#open(Backend, Path, Path, WeightType)}. */
    public static Loaded open(Path model, Path heads, WeightType type) {
        return Loaded.open(Backend.openCuda(0), model, heads, type);
    }
}
