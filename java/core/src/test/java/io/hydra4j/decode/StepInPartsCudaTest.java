package io.hydra4j.decode;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import io.hydra4j.decode.access.Sessions;
import io.hydra4j.golden.Cuda;
import io.hydra4j.golden.Loaded;
import io.hydra4j.golden.Original;
import java.util.Arrays;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** As {@link StepInPartsTest} on the CUDA backend. */
@ExtendWith(Cuda.class)
class StepInPartsCudaTest {
    @ParameterizedTest
    @ValueSource(strings = {"hydra-ungrounded", "hydra-plus-plus"})
    void anOwnSamplerEmitsWhatItEmitsTokenByToken(String heads) {
        int length = Cuda.emulated() ? 3 : 40;
        int[] prompt = Arrays.copyOf(BitIdentity.bytePrompts().get(0), Cuda.emulated() ? 3 : 30);
        try (Loaded loaded = Cuda.open(Original.base(), Original.heads(heads), null);
                Session plain = Sessions.session(
                        loaded.base(), null, SessionOptions.of(Tree.ROOT).withLogits());
                Session guessing = Sessions.session(
                        loaded.base(),
                        loaded.heads(),
                        SessionOptions.of(BitIdentity.tree(Cuda.emulated() ? 7 : 64))
                                .withLogits())) {
            assertArrayEquals(
                    OwnSampler.run(plain, prompt, length).tokens(),
                    OwnSampler.run(guessing, prompt, length).tokens());
        }
    }
}
