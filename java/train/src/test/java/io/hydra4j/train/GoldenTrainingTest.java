package io.hydra4j.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.format.SafetensorsFile;
import io.hydra4j.format.Tensor;
import io.hydra4j.model.DecoderConfig;
import io.hydra4j.runtime.Activation;
import io.hydra4j.runtime.MappedFile;
import io.hydra4j.train.HeadsDesign.Kind;
import io.hydra4j.train.HeadsDesign.LmHead;
import io.hydra4j.train.device.TrainBuffer;
import io.hydra4j.train.device.TrainDevice;
import java.net.URISyntaxException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;

/** Gradients and ten steps of AdamW beside PyTorch's; {@code golden/training.py} has made the file and repeats the formulas. */
class GoldenTrainingTest {
    private static final int HIDDEN = 12;
    private static final int VOCABULARY = 40;
    private static final int[] LENGTHS = {7, 1, 12};
    private static final int ROWS = Arrays.stream(LENGTHS).sum();
    private static final int STEPS = 10;
    private static final double TOLERANCE = 1e-4;

    private static final DecoderConfig BASE = new DecoderConfig(
            1, HIDDEN, 4, 2, 4, 12, VOCABULARY, 64, 10000, 1e-5f, Activation.SILU, false, -1, List.of());

    private static float[] wave(long count, int seed, double scale, double shift) {
        float[] values = new float[Math.toIntExact(count)];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) (shift + scale * Math.sin(0.37 * i * (1 + seed % 7) + seed));
        }
        return values;
    }

    private static float[] parameter(Parameter parameter) {
        int seed = 0;
        for (byte character : parameter.name().getBytes(StandardCharsets.UTF_8)) {
            seed += character;
        }
        boolean norm = parameter.name().endsWith("norm.weight");
        boolean matrix = parameter.shape().size() > 1;
        return wave(parameter.count(), seed, norm ? 0.2 : matrix ? 0.3 : 0.1, norm ? 1 : 0);
    }

    private static HeadBatch batch(int step, int heads) {
        List<TokenText> texts = new ArrayList<>();
        int start = 0;
        for (int length : LENGTHS) {
            int[] tokens = new int[length];
            boolean[] targets = new boolean[length];
            for (int t = 0; t < length; t++) {
                int i = start + t;
                tokens[t] = (7 * i * i + 3 * i + step) % VOCABULARY;
                targets[t] = i % 5 != 3;
            }
            texts.add(new TokenText(tokens, targets));
            start += length;
        }
        return HeadBatch.of(texts, heads);
    }

    /** Splits a batch so that its gradients are accumulated. */
    private static List<HeadBatch> split(HeadBatch whole, int heads) {
        List<HeadBatch> parts = new ArrayList<>();
        for (int s = 0; s < whole.sequences(); s++) {
            int[] tokens = whole.sequence(s);
            boolean[] targets = new boolean[tokens.length];
            for (int t = 0; t < tokens.length; t++) {
                targets[t] = (whole.starts()[s] + t) % 5 != 3;
            }
            parts.add(HeadBatch.of(List.of(new TokenText(tokens, targets)), heads));
        }
        return parts;
    }

    private static Path golden() {
        try {
            return Path.of(GoldenTrainingTest.class
                    .getResource("/golden/training.safetensors")
                    .toURI());
        } catch (URISyntaxException e) {
            throw new IllegalStateException(e);
        }
    }

    private static float[] golden(String name) {
        Tensor tensor = SafetensorsFile.read(golden()).table().tensors().get(name);
        try (MappedFile file = MappedFile.open(golden())) {
            return file.floats(tensor.type().id(), tensor.offset(), tensor.bytes(), tensor.values());
        }
    }

    private static void assertClose(String name, TrainBuffer all, Parameter parameter) {
        float[] expected = golden(name);
        float[] found = new float[expected.length];
        all.download(parameter.offset(), found);
        double difference = 0;
        double norm = 0;
        for (int i = 0; i < found.length; i++) {
            difference += Math.pow(found[i] - expected[i], 2);
            norm += Math.pow(expected[i], 2);
        }
        double error = Math.sqrt(difference / norm);
        assertTrue(error <= TOLERANCE, () -> name + ": relative error " + error);
    }

    private static void assertTrains(String name, HeadsDesign design, Objective objective, boolean accumulates) {
        assertTrains(() -> TrainDevice.openCpu(1, false), name, design, objective, accumulates);
    }

    static void assertTrains(
            Supplier<TrainDevice> opener, String name, HeadsDesign design, Objective objective, boolean accumulates) {
        TrainingOptions options = TrainingOptions.builder(Recipe.HYDRA)
                .design(design.withHeads(2))
                .objective(objective.withHeadWeights(1, 0.5))
                .optimiser(OptimiserOptions.DEFAULT.withLearningRate(0.01).withWarmUpSteps(4))
                .build();
        HeadParameters layout = new HeadParameters(options.design(), BASE, VOCABULARY);
        try (TrainDevice device = opener.get()) {
            TrainBuffer embedding = device.floats(VOCABULARY * HIDDEN);
            embedding.upload(0, wave(VOCABULARY * HIDDEN, 11, 1, 0));
            TrainBuffer lmHead = device.floats(VOCABULARY * HIDDEN);
            lmHead.upload(0, wave(VOCABULARY * HIDDEN, 5, 0.5, 0));
            HeadTrainer trainer = new HeadTrainer(
                    device, options, new FrozenBase(BASE, embedding, lmHead, lmHead, null), layout, ROWS);
            layout.all().forEach(parameter -> trainer.parameters().upload(parameter.offset(), parameter(parameter)));
            float[] losses = golden(name + "/losses");
            for (int step = 0; step < STEPS; step++) {
                HeadBatch whole = batch(step, 2);
                float[] states = wave(ROWS * HIDDEN, 3 + step, 1, 0);
                int[] done = {0};
                HeadTrainer.Outcome outcome = trainer.step(
                        accumulates ? split(whole, 2) : List.of(whole),
                        (batch, target) -> {
                            int from = done[0] * HIDDEN;
                            target.upload(0, Arrays.copyOfRange(states, from, from + batch.positions() * HIDDEN));
                            done[0] += batch.positions();
                        },
                        step,
                        options.optimiser().learningRate(step, step / (double) STEPS));
                assertEquals(losses[step], outcome.loss(), TOLERANCE * losses[step], "loss of step " + step);
                if (step == 0) {
                    for (Parameter parameter : layout.all()) {
                        assertClose(name + "/gradient/" + parameter.name(), trainer.gradients(), parameter);
                    }
                }
            }
            for (Parameter parameter : layout.all()) {
                assertClose(name + "/parameter/" + parameter.name(), trainer.parameters(), parameter);
            }
        }
    }

    @Test
    void medusaHeadsTrainAsInPyTorch() {
        assertTrains("medusa", HeadsDesign.of(Kind.MEDUSA).withBlocks(2), Objective.DATA, false);
    }

    @Test
    void hydraHeadsWithLmHeadsOfTheirOwnTrainAsInPyTorch() {
        assertTrains("hydra", HeadsDesign.of(Kind.HYDRA).withLmHead(LmHead.PRIVATE), Objective.DATA, false);
    }

    static final HeadsDesign PLUS =
            HeadsDesign.of(Kind.HYDRA_PLUS_PLUS).withBlocks(3).withTiedBlocks(true);

    @Test
    void hydraPlusPlusHeadsWithTeacherAndTiedBlocksTrainAsInPyTorch() {
        assertTrains("hydra-plus-plus", PLUS, Objective.DATA.withWeights(0.3, 1), false);
    }

    @Test
    void gradientsThatAreAccumulatedAreThoseOfOneBatch() {
        assertTrains("hydra-plus-plus", PLUS, Objective.DATA.withWeights(0.3, 1), true);
    }

    @Test
    void aLossThatIsNotFiniteIsToldAndChangesNoParameter() {
        TrainingOptions options = TrainingOptions.builder(Recipe.HYDRA)
                .design(HeadsDesign.of(Kind.HYDRA).withHeads(2))
                .build();
        HeadParameters layout = new HeadParameters(options.design(), BASE, VOCABULARY);
        try (TrainDevice device = TrainDevice.openCpu(1, false)) {
            TrainBuffer embedding = device.floats(VOCABULARY * HIDDEN);
            HeadTrainer trainer = new HeadTrainer(
                    device, options, new FrozenBase(BASE, embedding, embedding, embedding, null), layout, ROWS);
            float[] before = new float[(int) layout.count()];
            float[] after = before.clone();
            trainer.parameters().download(0, before);
            float[] states = new float[ROWS * HIDDEN];
            states[5] = Float.NaN;

            TrainingException.Diverged diverged = assertThrows(
                    TrainingException.Diverged.class,
                    () -> trainer.step(List.of(batch(0, 2)), (batch, target) -> target.upload(0, states), 7, 0.01));

            assertEquals(7, diverged.step());
            assertTrue(
                    diverged.getMessage().startsWith("step 7: the loss is not finite: lower the learning rate"),
                    diverged.getMessage());
            trainer.parameters().download(0, after);
            assertArrayEquals(before, after);
        }
    }
}
