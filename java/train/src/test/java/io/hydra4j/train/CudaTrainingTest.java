package io.hydra4j.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.golden.Cuda;
import io.hydra4j.golden.TestData;
import io.hydra4j.runtime.Backend;
import io.hydra4j.runtime.BackendKind;
import io.hydra4j.runtime.Buffer;
import io.hydra4j.train.HeadsDesign.Kind;
import io.hydra4j.train.HeadsDesign.LmHead;
import io.hydra4j.train.device.TrainBuffer;
import io.hydra4j.train.device.TrainDevice;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** Training on CUDA: against PyTorch, and whole runs with a tiny base whose tokens are bytes. */
@ExtendWith(Cuda.class)
class CudaTrainingTest {
    /** What the base writes to measure on fills it, token by token. */
    private static final int CONTEXT = 28;

    @TempDir
    static Path folder;

    private static Path model;
    private static Path data;

    @TempDir
    Path outputs;

    @BeforeAll
    static void makeModelAndData() throws IOException {
        model = TinyBase.model(Files.createDirectory(folder.resolve("base")), CONTEXT);
        data = Files.write(
                folder.resolve("data.txt"),
                List.of(String.join("\n", TestData.heldOutPrompts().subList(0, 4))));
    }

    private static void assertTrainsAsInPyTorch(String name, HeadsDesign design, Objective objective) {
        GoldenTrainingTest.assertTrains(() -> TrainDevice.openCuda(false), name, design, objective, false);
    }

    @Test
    void medusaHeadsTrainAsInPyTorch() {
        assertTrainsAsInPyTorch("medusa", HeadsDesign.of(Kind.MEDUSA).withBlocks(2), Objective.DATA);
    }

    @Test
    void hydraHeadsWithLmHeadsOfTheirOwnTrainAsInPyTorch() {
        assertTrainsAsInPyTorch("hydra", HeadsDesign.of(Kind.HYDRA).withLmHead(LmHead.PRIVATE), Objective.DATA);
    }

    @Test
    void hydraPlusPlusHeadsWithTeacherAndTiedBlocksTrainAsInPyTorch() {
        assertTrainsAsInPyTorch("hydra-plus-plus", GoldenTrainingTest.PLUS, Objective.DATA.withWeights(0.3, 1));
    }

    private static TrainingOptions.Builder options(BackendKind backend) {
        Recipe recipe = Recipe.HYDRA_PLUS_PLUS;
        return TrainingOptions.builder(recipe)
                .design(recipe.design().withHeads(2).withBlocks(2))
                .objective(recipe.objective().withDropout(0.1))
                .optimiser(recipe.optimiser().withWarmUpSteps(2).withLearningRate(0.01))
                .backend(backend)
                .threads(1)
                .tokens(192)
                .sequenceLength(24)
                .batch(2)
                .seed(5)
                .heldOutTokens(128)
                .evaluationTokens(192)
                .treeNodes(0);
    }

    private HeadTraining training(String name, TrainingOptions options) {
        return HeadTraining.of(model, List.of(data), outputs.resolve(name), options)
                .withHeldOut(List.of(data));
    }

    private double[] losses(String name) throws IOException {
        Pattern loss = Pattern.compile("\"loss\":([0-9.eE+-]+)");
        return Files.readAllLines(outputs.resolve(name).resolve("log.jsonl")).stream()
                .map(loss::matcher)
                .filter(Matcher::find)
                .mapToDouble(matcher -> Double.parseDouble(matcher.group(1)))
                .toArray();
    }

    /**
     * The same steps but for rounding, as dropout takes the same random numbers; the base keeps keys and values as F16 on CUDA. One run, as
     * the base writes what heads are measured on token by token.
     */
    @Test
    void aRunThatIsInterruptedAndResumedHasTheLossesOfOneOnTheProcessor() throws IOException {
        TrainingOptions options = options(BackendKind.CUDA).build();
        AtomicInteger asked = new AtomicInteger();
        TrainingResult half = training("cuda", options)
                .withCancelled(() -> asked.incrementAndGet() > 2)
                .run();
        TrainingResult whole = training("cuda", options).resume();
        training("cpu", options(BackendKind.CPU).build()).run();

        assertEquals(2, half.steps());
        assertTrue(whole.complete());
        double[] expected = losses("cpu");
        assertEquals(4, expected.length);
        assertArrayEquals(expected, losses("cuda"), 0.01 * expected[0]);
    }

    @Test
    void valuesOfABackendsBufferAreCopiedOnTheDevice() {
        float[] found = new float[5];
        try (Backend backend = Backend.openCuda(0);
                Buffer source = Buffer.floats(backend, 3);
                TrainDevice device = TrainDevice.openCuda(false)) {
            source.write(0, new float[] {1, 2, 3});
            TrainBuffer target = device.floats(5);

            target.copyIn(2, source.address() + Float.BYTES, 2);

            target.download(0, found);
        }
        assertArrayEquals(new float[] {0, 0, 2, 3, 0}, found);
    }

    @Test
    void productsOfBf16AreThoseOfADeviceThatWasOpenedForThem() {
        try (TrainDevice device = TrainDevice.openCuda(true)) {
            assertTrue(device.description().endsWith(", products of bf16"), device.description());
        }
    }
}
