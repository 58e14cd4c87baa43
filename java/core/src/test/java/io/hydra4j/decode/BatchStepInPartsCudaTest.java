package io.hydra4j.decode;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import io.hydra4j.decode.access.Sessions;
import io.hydra4j.golden.Cuda;
import io.hydra4j.golden.Loaded;
import io.hydra4j.golden.Original;
import java.util.Arrays;
import java.util.Map;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** As {@link BatchStepInPartsTest} on the CUDA backend. */
@ExtendWith(Cuda.class)
class BatchStepInPartsCudaTest {
    private static int[] prompt(int number, int length, int emulated) {
        return Arrays.copyOf(BitIdentity.bytePrompts().get(number), Cuda.emulated() ? emulated : length);
    }

    private static BatchOptions options() {
        return BatchOptions.of(2, BitIdentity.tree(Cuda.emulated() ? 7 : 64))
                .withPrefillTokens(Cuda.emulated() ? 3 : 32)
                .withLogits();
    }

    @ParameterizedTest
    @ValueSource(strings = {"hydra-ungrounded", "hydra-plus-plus"})
    void anOwnSamplerEmitsOfEachSequenceWhatItEmitsTokenByToken(String heads) {
        int length = Cuda.emulated() ? 3 : 40;
        int[][] prompts = {prompt(0, 30, 2), prompt(1, 70, 4)};
        try (Loaded loaded = Cuda.open(Original.base(), Original.heads(heads), null);
                Session plain = Sessions.session(
                        loaded.base(), null, SessionOptions.of(Tree.ROOT).withLogits());
                BatchSession batch = Sessions.batch(loaded.base(), loaded.heads(), options())) {
            OwnSampler.Results found = OwnSampler.run(batch, prompts, length);
            for (int s = 0; s < prompts.length; s++) {
                plain.rewind(0);
                assertArrayEquals(OwnSampler.run(plain, prompts[s], length).tokens(), found.tokens()[s]);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"hydra", "hydra-plus-plus"})
    void theThreePartsMakeAStepOfAllSequences(String heads) {
        try (Loaded loaded = Cuda.open(Original.base(), Original.heads(heads), null);
                BatchSession whole = Sessions.batch(loaded.base(), loaded.heads(), options());
                BatchSession parts = Sessions.batch(loaded.base(), loaded.heads(), options())) {
            for (BatchSession batch : new BatchSession[] {whole, parts}) {
                batch.prefill(Map.of(0, prompt(0, 30, 3)));
                batch.enqueuePrompt(1, prompt(1, 70, 4));
            }
            for (int i = 0; i < (Cuda.emulated() ? 3 : 12); i++) {
                Step[] expected = whole.step();
                parts.draft();
                int[][] selected = parts.verify();
                for (int s = 0; s < expected.length; s++) {
                    for (int node = 0; expected[s] != null && node < expected[s].nodes(); node++) {
                        assertArrayEquals(whole.logits(s, node), parts.logits(s, node));
                    }
                }
                assertArrayEquals(expected, i % 2 == 0 ? parts.accept() : parts.accept(selected));
            }
        }
    }
}
