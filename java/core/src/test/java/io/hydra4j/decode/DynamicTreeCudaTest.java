package io.hydra4j.decode;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.decode.access.Sessions;
import io.hydra4j.draft.Drafter;
import io.hydra4j.golden.Cuda;
import io.hydra4j.golden.Loaded;
import io.hydra4j.golden.Original;
import io.hydra4j.runtime.WeightType;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Dynamic trees on CUDA: the output is that of plain decoding. */
@ExtendWith(Cuda.class)
class DynamicTreeCudaTest {
    private static List<String> heads() {
        return Original.HEADS;
    }

    @ParameterizedTest
    @MethodSource("heads")
    void headsWithALookupEmitWhatPlainDecodingDoes(String heads) {
        int[] prompt = BitIdentity.bytePrompts().get(1);
        try (Loaded loaded = Cuda.open(Original.base(), Original.heads(heads), WeightType.F32)) {
            Drafter both = loaded.heads().withChains(Drafter.lookup(6));
            SessionOptions options = SessionOptions.of(Tree.ROOT).withLogits();
            try (Session plain = loaded.session(Tree.ROOT);
                    Session session = Sessions.session(loaded.base(), both, options)) {
                PlainDecoding expected = PlainDecoding.of(plain, prompt, 8);
                expected.assertSame(session, Tree.dynamic(7));
                expected.assertSame(session, Tree.chain(1));
                assertTrue(session.statistics().nodes() > 8);
            }
        }
    }

    @Test
    void sequencesOfABatchShareABudget() {
        List<int[]> prompts = BitIdentity.bytePrompts().subList(0, 2);
        try (Loaded loaded = Cuda.open(Original.base(), Original.heads("hydra-plus-plus"), WeightType.F32);
                Session plain = loaded.session(Tree.ROOT);
                BatchSession batch =
                        Sessions.batch(loaded.base(), loaded.heads(), BatchOptions.of(2, Tree.dynamic(6)))) {
            batch.setBudget(5);
            for (int s = 0; s < 2; s++) {
                batch.prefill(s, prompts.get(s));
            }
            for (int i = 0; i < 3; i++) {
                int nodes = 0;
                for (Step step : batch.step()) {
                    nodes += step.nodes() - 1;
                }
                assertTrue(nodes > 0 && nodes <= 5, nodes + " nodes below the roots");
            }
            for (int s = 0; s < 2; s++) {
                int begin = prompts.get(s).length;
                int[] found = Arrays.copyOfRange(batch.tokens(s), begin, batch.length(s));
                assertArrayEquals(
                        PlainDecoding.of(plain, prompts.get(s), found.length).tokens(), found);
            }
        }
    }
}
