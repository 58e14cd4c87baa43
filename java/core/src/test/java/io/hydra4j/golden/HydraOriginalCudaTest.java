package io.hydra4j.golden;

import io.hydra4j.OpenOptions;
import io.hydra4j.runtime.BackendKind;
import io.hydra4j.runtime.WeightType;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.extension.ExtendWith;

/** Everything that the original code computes, on CUDA: on the emulation the beginning of one case. */
@ExtendWith(Cuda.class)
class HydraOriginalCudaTest extends HydraOriginalGolden {
    @Override
    Loaded open(Path base, Path heads, WeightType type) {
        return Cuda.open(base, heads, type);
    }

    @Override
    OpenOptions options() {
        return OpenOptions.DEFAULT.withBackend(BackendKind.CUDA);
    }

    @Override
    <T> List<T> cases(List<T> all) {
        return Cuda.cases(all, 2, 3);
    }

    @Override
    int tokens() {
        return Cuda.emulated() ? 8 : Integer.MAX_VALUE;
    }
}
