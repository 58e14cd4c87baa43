package io.hydra4j.decode;

import io.hydra4j.golden.Cuda;
import io.hydra4j.heads.HeadsConfig.Kind;
import io.hydra4j.runtime.Backend;
import io.hydra4j.runtime.WeightType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** The same on CUDA. */
@ExtendWith(Cuda.class)
class DraftTablesCudaTest {
    @Test
    void headsGuessTheSame() {
        try (Backend backend = Backend.openCuda(0)) {
            DraftTablesTest.expectTheSameDrafts(
                    backend, Kind.HYDRA_PLUS_PLUS, 2, WeightType.F32, Cuda.emulated() ? 2 : 12);
        }
    }
}
