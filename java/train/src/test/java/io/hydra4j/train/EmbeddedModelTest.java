package io.hydra4j.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.golden.TestData;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The recipe that the README has figures of, for a third of its tokens: Hydra heads of the embedded model, learned from {@code
 * java-sample.jsonl.xz}, 155 files of what the model itself was trained on (see {@code models/README.md}), measured on code that neither
 * has seen.
 */
class EmbeddedModelTest {
    @TempDir
    Path folder;

    private static Path sample() throws URISyntaxException {
        return Path.of(Objects.requireNonNull(EmbeddedModelTest.class.getResource("/java-sample.jsonl.xz"))
                .toURI());
    }

    @Test
    void acceptanceRisesOnCodeThatWasNeverSeen() throws Exception {
        Path heldOut = Files.write(
                folder.resolve("held-out.txt"),
                List.of(String.join("\n", TestData.heldOutPrompts().subList(0, 100))));
        TrainingOptions options = TrainingOptions.builder(Recipe.HYDRA)
                .optimiser(Recipe.HYDRA.optimiser().withLearningRate(0.003).withWarmUpSteps(5))
                .tokens(4000)
                .sequenceLength(256)
                .batch(2)
                .threads(1)
                .evaluationTokens(1 << 20)
                .heldOutTokens(512)
                .treeNodes(0)
                .build();

        TrainingResult result = HeadTraining.of(
                        TestData.embedded("javalm-19m-q8_0.gguf"), List.of(sample()), folder.resolve("heads"), options)
                .withHeldOut(List.of(heldOut))
                .run();

        assertEquals(2, result.evaluations().size());
        Evaluation begin = result.evaluations().get(0);
        Evaluation end = result.evaluations().get(1);
        assertTrue(result.lastLoss() < 0.95 * result.firstLoss(), result::toString);
        assertTrue(begin.tunedTreeLength() < 1.05, begin::toString);
        assertTrue(end.tunedTreeLength() > 1.15, end::toString);
        assertTrue(end.accuracies().get(0).get(4) > 0.15, end::toString);
    }
}
