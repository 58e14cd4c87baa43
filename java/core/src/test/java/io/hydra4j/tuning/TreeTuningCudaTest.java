package io.hydra4j.tuning;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.golden.Cuda;
import io.hydra4j.golden.Loaded;
import io.hydra4j.golden.Original;
import io.hydra4j.runtime.WeightType;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** A tree is tuned on CUDA as on the CPU. It takes minutes on the emulation, so that it has the tag {@code long}. */
@ExtendWith(Cuda.class)
class TreeTuningCudaTest {
    @Test
    @Tag("long")
    void aTreeIsTunedAndTimed() {
        List<int[]> documents = new ArrayList<>();
        for (int i = 0; i < 16; i++) {
            int letter = 'a' + i;
            documents.add(IntStream.range(0, 8).map(k -> letter + k % 3).toArray());
        }
        ConversionText text = new ConversionText(documents, new int[0]);
        try (Loaded loaded = Cuda.open(Original.base(), Original.heads("hydra"), WeightType.F32)) {
            TreeTuning.Outcome outcome =
                    new TreeTuning(loaded.base(), loaded.heads(), text, "text").run(3, 3, 64, 8, fraction -> {});
            assertTrue(outcome.chosen().nodes() <= 3 && outcome.tunedTokens() > 0);
            TreeTuning.Candidate plain = outcome.candidates().get(0);
            assertEquals(1, plain.tuned());
            assertTrue(outcome.candidates().stream().allMatch(tree -> tree.nanos() >= plain.nanos()));
        }
    }
}
