package io.hydra4j.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.golden.FormulaModel;
import io.hydra4j.golden.Original;
import io.hydra4j.golden.TestData;
import io.hydra4j.heads.DraftHeads;
import io.hydra4j.heads.HeadsFiles;
import io.hydra4j.runtime.BackendKind;
import io.hydra4j.train.HeadsDesign.LmHead;
import io.hydra4j.train.device.LossPass;
import io.hydra4j.train.device.TrainBuffer;
import io.hydra4j.train.device.TrainDevice;
import io.hydra4j.tuning.GreedyContinuations;
import io.hydra4j.tuning.RankSamples;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What heads guess in training is what the decoder guesses with them: layers, RoPE, embeddings and alignment are the same. */
class EngineAgreementTest {
    private static final int LENGTH = 200;
    private static final int HEADS = 3;

    @TempDir
    Path folder;

    private static int[] text() {
        byte[] bytes =
                String.join("\n", TestData.heldOutPrompts().subList(0, 4)).getBytes(StandardCharsets.US_ASCII);
        int[] tokens = new int[LENGTH];
        for (int i = 0; i < LENGTH; i++) {
            tokens[i] = bytes[i];
        }
        return tokens;
    }

    private void assertAgrees(Recipe recipe, HeadsDesign design) throws IOException {
        assertAgrees(TinyBase.model(Files.createDirectory(folder.resolve("base"))), recipe, design);
    }

    private void assertAgrees(Path model, Recipe recipe, HeadsDesign design) throws IOException {
        TrainingOptions options = TrainingOptions.builder(recipe)
                .design(design.withHeads(HEADS))
                .objective(Objective.DATA)
                .build();
        try (OpenBase base = new OpenBase(model, BackendKind.CPU, 1);
                StatePasses states = new StatePasses(base.model(), LENGTH, LENGTH);
                TrainDevice device = TrainDevice.openCpu(1, false)) {
            int vocabulary = base.config().vocabulary();
            HeadParameters layout = new HeadParameters(options.design(), base.config(), vocabulary);
            TrainBuffer embedding =
                    device.floats((long) vocabulary * base.config().hidden());
            OpenBase.copy(base.model().embedding(), null, 1, embedding);
            TrainBuffer lmHead = device.floats(embedding.count());
            OpenBase.copy(base.model().lmHead(), null, 1, lmHead);
            FrozenBase frozen = new FrozenBase(base.config(), embedding, lmHead, lmHead, null);
            HeadTrainer trainer = new HeadTrainer(device, options, frozen, layout, LENGTH);
            int[] tokens = text();
            HeadBatch batch = HeadBatch.of(List.of(TokenText.from(tokens, 0)), HEADS);
            for (int step = 0; step < 60; step++) {
                trainer.step(List.of(batch), states::write, step, 0.01);
            }
            new HeadsFolder(folder, options.design(), layout, "base", vocabulary, null).write(trainer.parameters());
            List<LossPass.Sums> trained = trainer.measure(batch, states::write);

            RankSamples decoded;
            try (DraftHeads heads =
                    DraftHeads.load(base.model(), HeadsFiles.open(folder, base.config()), null, 0, fraction -> {})) {
                decoded = new GreedyContinuations(List.of(tokens), new int[] {1})
                        .ranks(List.of(heads), fraction -> {})
                        .get(0);
            }
            int positions = LENGTH - HEADS - 1;
            for (int head = 0; head < HEADS; head++) {
                double[] accuracies = decoded.accuracies(head, HeldOut.BEST);
                for (int best = 0; best < HeldOut.BEST; best++) {
                    double expected = trained.get(head).targetTop()[best];
                    // Training has a few rows more, and the file rounds to BF16.
                    assertEquals(expected, accuracies[best] * positions, HEADS + 0.03 * positions, "head " + head);
                }
                assertTrue(accuracies[0] > 0.5, "head " + head + ": " + accuracies[0]);
            }
        }
    }

    @ParameterizedTest
    @EnumSource(Recipe.class)
    void theDecoderGuessesWhatTrainingDid(Recipe recipe) throws IOException {
        assertAgrees(recipe, recipe.design());
    }

    /** Whose layers have GELU, norms after, factors and caps, windows, heads of which a part turns: a prefix layer has none of them. */
    @ParameterizedTest
    @ValueSource(strings = {"windows", "smollm3", "gemma2", "gemma3", "phi3", "granite", "olmo2"})
    void aPrefixLayerIsTheSameForBasesOfEveryFamily(String family) throws IOException {
        Path model = new FormulaModel(family).writeFolder(Files.createDirectory(folder.resolve("base")));
        assertAgrees(Original.withTokenizer(model), Recipe.HYDRA_PLUS_PLUS, Recipe.HYDRA_PLUS_PLUS.design());
    }

    @Test
    void soDoHeadsWithTiedBlocksAndLmHeadsOfTheirOwn() throws IOException {
        assertAgrees(
                Recipe.HYDRA_PLUS_PLUS,
                Recipe.HYDRA_PLUS_PLUS.design().withTiedBlocks(true).withLmHead(LmHead.PRIVATE));
    }
}
