package io.hydra4j.decode;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.hydra4j.decode.access.Sessions;
import io.hydra4j.golden.Cuda;
import io.hydra4j.golden.Loaded;
import io.hydra4j.golden.Original;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** As {@link StepsAheadTest} on the CUDA backend. */
@ExtendWith(Cuda.class)
class StepsAheadCudaTest {
    @Test
    void emitWhatStepsOneAfterAnotherEmitAndAreTakenBack() {
        int[] prompt = Arrays.copyOf(BitIdentity.bytePrompts().get(0), Cuda.emulated() ? 3 : 30);
        SessionOptions options = SessionOptions.of(BitIdentity.tree(Cuda.emulated() ? 5 : 16));
        try (Loaded loaded = Cuda.open(Original.base(), Original.heads("hydra-plus-plus"), null);
                Session expected = Sessions.session(loaded.base(), loaded.heads(), options);
                Session ahead = Sessions.session(loaded.base(), loaded.heads(), options)) {
            expected.prefill(prompt);
            ahead.prefill(prompt);
            for (int i = 0; i < (Cuda.emulated() ? 2 : 20); i++) {
                assertEquals(expected.step(), ahead.stepAhead());
            }
            expected.prefill(prompt);
            ahead.prefill(prompt);
            assertEquals(expected.step(), ahead.stepAhead());
            assertArrayEquals(expected.tokens(), ahead.tokens());
            assertEquals(expected.root(), ahead.root());
        }
    }
}
