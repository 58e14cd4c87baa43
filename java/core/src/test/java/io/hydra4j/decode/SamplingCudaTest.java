package io.hydra4j.decode;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import io.hydra4j.decode.access.Sessions;
import io.hydra4j.golden.Cuda;
import io.hydra4j.golden.Loaded;
import io.hydra4j.golden.Original;
import java.util.Arrays;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** The lossless rule with sampling on CUDA: every option, plain decoding beside the reference, and heads of each kind beside it. */
@ExtendWith(Cuda.class)
class SamplingCudaTest {
    @Test
    void theTextWithGuessesIsTheTextWithout() {
        int tokens = Cuda.emulated() ? 3 : 40;
        int length = Cuda.emulated() ? 6 : 60;
        int next = 0;
        SessionOptions options = SessionOptions.of(Tree.ROOT).withSampling(Sampling.GREEDY);
        try (Loaded alone = Cuda.open(Original.base(), null, null);
                Session plain = Sessions.session(alone.base(), null, options.withLogits())) {
            for (String heads : Original.HEADS) {
                try (Loaded drafting = Cuda.open(Original.base(), Original.heads(heads), null);
                        Session session = Sessions.session(drafting.base(), drafting.heads(), options)) {
                    for (Map.Entry<String, Sampling> option :
                            SampledText.options().entrySet()) {
                        int[] prompt = Arrays.copyOf(BitIdentity.bytePrompts().get(next++), length);
                        session.setTree(BitIdentity.tree(next % 2 == 0 ? 7 : 16));
                        assertArrayEquals(
                                SampledText.plain(plain, prompt, option.getValue(), tokens),
                                SampledText.of(session, prompt, option.getValue(), tokens),
                                option.getKey());
                    }
                }
            }
        }
    }
}
