package io.hydra4j.decode;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.hydra4j.golden.Cuda;
import io.hydra4j.golden.Loaded;
import io.hydra4j.golden.Original;
import java.util.Arrays;
import java.util.Map;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Sequences side by side on CUDA, few and short ones on the emulation. */
@ExtendWith(Cuda.class)
class BatchSessionCudaTest {
    private static int[] prompt(int number, int length, int emulated) {
        return Arrays.copyOf(BitIdentity.bytePrompts().get(number), Cuda.emulated() ? emulated : length);
    }

    @ParameterizedTest
    @ValueSource(strings = {"hydra-ungrounded", "hydra", "hydra-plus-plus"})
    void sequencesJoinAndLeaveWithoutDisturbingTheOthers(String heads) {
        int steps = Cuda.emulated() ? 1 : 8;
        BatchOptions options = BatchOptions.of(3, BitIdentity.tree(Cuda.emulated() ? 7 : 64))
                .withPrefillTokens(Cuda.emulated() ? 5 : 256);
        try (Loaded loaded = Cuda.open(Original.base(), Original.heads(heads), null);
                Twins twins = new Twins(loaded, options)) {
            // Together more than a pass has.
            twins.prefill(Map.of(0, prompt(0, 70, 4), 2, prompt(2, 200, 6)));
            twins.steps(steps);
            twins.batch().pause(2);
            twins.prefill(1, prompt(1, 130, 3));
            twins.steps(steps);
            twins.batch().resume(2);
            twins.clear(0);
            twins.steps(steps);
            twins.prefill(0, prompt(3, 20, 2));
            twins.steps(steps);
        }
    }

    /** Trees and room of their own, and a prompt beside them. */
    @ParameterizedTest
    @ValueSource(strings = {"hydra-ungrounded", "hydra", "hydra-plus-plus"})
    void treesOfAllShapesAndPromptsShareAPass(String heads) {
        boolean emulated = Cuda.emulated();
        BatchOptions options = BatchOptions.of(4, Tree.ROOT)
                .withNodes(emulated ? 7 : 64)
                .withPrefillTokens(emulated ? 3 : 50)
                .withMaxPositions(emulated ? 8 : 150);
        try (Loaded loaded = Cuda.open(Original.base(), Original.heads(heads), null);
                Twins twins = new Twins(loaded, options)) {
            twins.setTree(1, BitIdentity.tree(emulated ? 3 : 7));
            twins.setTree(2, BitIdentity.tree(emulated ? 7 : 64));
            twins.setTree(3, BitIdentity.tree(emulated ? 5 : 33));
            twins.prefill(Map.of(0, prompt(0, 70, 2), 1, prompt(1, 148, 7), 2, prompt(2, 140, 4)));
            twins.enqueue(3, prompt(3, 120, 4));
            twins.steps(emulated ? 3 : 12);
            assertEquals(0, twins.batch().promptLeft(3));
        }
    }
}
