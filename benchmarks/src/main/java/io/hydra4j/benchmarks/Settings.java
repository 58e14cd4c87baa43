package io.hydra4j.benchmarks;

import io.hydra4j.HydraException;
import io.hydra4j.OpenOptions;
import io.hydra4j.runtime.Backend;
import io.hydra4j.runtime.BackendKind;
import io.hydra4j.runtime.Backends;
import io.hydra4j.runtime.KvType;
import io.hydra4j.runtime.WeightType;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;

/** What all benchmarks of a run share. System properties carry it into JMH's forks. */
final class Settings {
    /** Threads that compute; 0 or absent for one per core. */
    static final String THREADS = "hydra4j.benchmark.threads";

    /** What computes: auto, cpu or cuda; auto if absent. */
    static final String BACKEND = "hydra4j.benchmark.backend";

    /** Type of the base's matrices; absent to keep the file's. */
    static final String WEIGHTS = "hydra4j.benchmark.weights";

    /** Type of the heads' matrices; absent to keep the file's. */
    static final String HEAD_WEIGHTS = "hydra4j.benchmark.head-weights";

    /** How keys and values are kept: auto, f32 or f16; auto if absent. */
    static final String KV = "hydra4j.benchmark.kv";

    /** Folder with the embedded default model and its heads; {@code models} if absent. */
    static final String MODELS = "hydra4j.models";

    /** Folder with models/ and data/ that are not part of the repository. */
    static final String SHARED = "hydra4j.shared";

    private Settings() {}

    private static int threads() {
        return Integer.getInteger(THREADS, 0);
    }

    private static BackendKind backendKind() {
        return BackendKind.valueOf(System.getProperty(BACKEND, "auto").toUpperCase(Locale.ROOT));
    }

    /** Opens the backend that this run measures. */
    static Backend openBackend() {
        return Backends.open(backendKind(), threads());
    }

    /** Options that open a model as this run wants it. */
    static OpenOptions openOptions() {
        return OpenOptions.DEFAULT
                .withBackend(backendKind())
                .withThreads(threads())
                .withWeights(weights())
                .withHeadWeights(headWeights())
                .withEightBitHeads(true)
                .withKv(kv());
    }

    /** Type of the base's matrices; null if none was asked for. */
    static WeightType weights() {
        return weightType(System.getProperty(WEIGHTS, ""));
    }

    /** Type of a base's matrices that come from a seed: BF16 if none was asked for. */
    static WeightType syntheticWeights() {
        return weights() == null ? WeightType.BF16 : weights();
    }

    /** Type of the heads' matrices beside those: the same if none was asked for. */
    static WeightType syntheticHeadWeights() {
        return headWeights() == null ? syntheticWeights() : headWeights();
    }

    /** How keys and values are kept. */
    static KvType kv() {
        return KvType.valueOf(System.getProperty(KV, "auto").toUpperCase(Locale.ROOT));
    }

    private static WeightType headWeights() {
        return weightType(System.getProperty(HEAD_WEIGHTS, ""));
    }

    private static WeightType weightType(String name) {
        return name.isEmpty() ? null : WeightType.valueOf(name.toUpperCase(Locale.ROOT));
    }

    /** @throws HydraException if the folder of embedded models is not there */
    static Path models() {
        return folder(MODELS, System.getProperty(MODELS, "models"), "run from the repository's root");
    }

    /** @throws HydraException if no such folder was named or it is not there */
    static Path shared() {
        return folder(
                SHARED, System.getProperty(SHARED, ""), "this benchmark needs more models than the repository has");
    }

    private static Path folder(String property, String value, String remedy) {
        if (value.isEmpty() || !Files.isDirectory(Path.of(value))) {
            throw new HydraException(
                    "no folder '" + value + "': " + remedy + ", or name the folder with -D" + property + "=FOLDER");
        }
        return Path.of(value);
    }
}
