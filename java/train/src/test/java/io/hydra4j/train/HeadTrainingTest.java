package io.hydra4j.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.GenerationOptions;
import io.hydra4j.HydraException;
import io.hydra4j.HydraModel;
import io.hydra4j.InsufficientMemoryException;
import io.hydra4j.OpenOptions;
import io.hydra4j.Speculation;
import io.hydra4j.TreeFile;
import io.hydra4j.golden.Json;
import io.hydra4j.golden.Original;
import io.hydra4j.train.HeadsDesign.Kind;
import io.hydra4j.train.HeadsDesign.LmHead;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Whole runs, with a tiny base whose tokens are bytes. */
class HeadTrainingTest {
    @TempDir
    static Path folder;

    private static Path model;
    private static Path data;

    @TempDir
    Path outputs;

    @BeforeAll
    static void makeModelAndData() throws IOException {
        model = TinyBase.model(Files.createDirectory(folder.resolve("base")));
        data = TinyBase.data(folder.resolve("data.jsonl"));
    }

    private static TrainingOptions.Builder options(Recipe recipe) {
        HeadsDesign design = recipe.design().withHeads(2);
        return TrainingOptions.builder(recipe)
                .design(recipe == Recipe.HYDRA_PLUS_PLUS ? design.withBlocks(2) : design)
                .optimiser(recipe.optimiser().withWarmUpSteps(2).withLearningRate(0.01))
                .tokens(3000)
                .sequenceLength(64)
                .batch(4)
                .threads(1)
                .seed(5)
                .heldOutTokens(128)
                .evaluationTokens(1500)
                .treeNodes(0);
    }

    private HeadTraining training(String name, TrainingOptions options) {
        return HeadTraining.of(model, List.of(data), outputs.resolve(name), options);
    }

    /** The lines of a log without what the clock says. */
    private List<String> log(String name) throws IOException {
        return Files.readAllLines(outputs.resolve(name).resolve("log.jsonl")).stream()
                .map(line -> line.replaceAll(",\"seconds\":.*", "}"))
                .toList();
    }

    private static OpenOptions with(Path heads) {
        return OpenOptions.DEFAULT.toBuilder().threads(1).heads(heads).build();
    }

    @ParameterizedTest
    @EnumSource(Recipe.class)
    void headsOfEveryRecipeOpenAtOnceAndChangeNoCharacter(Recipe recipe) throws IOException {
        Path heads = outputs.resolve("heads");
        TrainingOptions options = options(recipe).tokens(1000).treeNodes(5).build();

        TrainingResult result = training("heads", options).run();

        assertTrue(result.complete());
        assertTrue(result.lastLoss() < result.firstLoss(), () -> "" + result);
        assertEquals(
                TreeFile.read(heads.resolve("tree.json")),
                result.tree().orElseThrow().tree());
        GenerationOptions plain = GenerationOptions.DEFAULT.withMaxTokens(24).withSpeculation(Speculation.OFF);
        try (HydraModel opened = HydraModel.open(model, with(heads))) {
            assertEquals(
                    recipe.name().toLowerCase(Locale.ROOT).replace("_plus_plus", "++"),
                    opened.info().heads().orElseThrow().kind());
            assertEquals(
                    opened.generate("public ", plain).text(),
                    opened.generate(
                                    "public ",
                                    plain.withSpeculation(Speculation.ON)
                                            .withTree(
                                                    result.tree().orElseThrow().tree()))
                            .text());
        }
    }

    @Test
    void everyOptionOfHeadsAndObjectiveCanBeTrained() throws IOException {
        List<TrainingOptions.Builder> all = List.of(
                options(Recipe.HYDRA_PLUS_PLUS)
                        .design(HeadsDesign.of(Kind.HYDRA_PLUS_PLUS)
                                .withHeads(3)
                                .withTiedBlocks(true)
                                .withLmHead(LmHead.PRIVATE)
                                .withDraftVocabulary(40))
                        .objective(Objective.TEACHER
                                .withWeights(0.5, 1)
                                .withEmbeddingNoise(2)
                                .withDropout(0.1)
                                .withHeadWeights(1, 0.8, 0.6))
                        .accumulation(2),
                options(Recipe.MEDUSA)
                        .design(HeadsDesign.of(Kind.MEDUSA).withBlocks(2).withLmHead(LmHead.PRIVATE))
                        .objective(Objective.DATA.withEmbeddingNoise(2)),
                options(Recipe.HYDRA)
                        .design(HeadsDesign.of(Kind.HYDRA)
                                .withDraftVocabulary(33)
                                .withBlocks(2))
                        .objective(Objective.TEACHER.withDropout(0.2))
                        .optimiser(OptimiserOptions.DEFAULT.withClip(0).withWarmUpSteps(0)));
        for (int i = 0; i < all.size(); i++) {
            TrainingOptions options = all.get(i).tokens(600).build();
            TrainingResult result = training("options-" + i, options).run();
            assertTrue(Double.isFinite(result.lastLoss()));
            try (HydraModel opened = HydraModel.open(model, with(result.heads()))) {
                var info = opened.info().heads().orElseThrow();
                assertEquals(options.design().heads(), info.count());
                int vocabulary = options.design().draftVocabulary();
                assertEquals(vocabulary == 0 ? opened.info().vocabulary() : vocabulary, info.draftVocabulary());
            }
        }
    }

    @Test
    void aRunThatWasInterruptedOrCrashedTakesTheSameStepsToTheBit() throws IOException {
        TrainingOptions options = options(Recipe.HYDRA_PLUS_PLUS)
                .objective(Objective.TEACHER.withDropout(0.2).withEmbeddingNoise(1))
                .checkpointTokens(600)
                .accumulation(2)
                .build();
        TrainingResult whole = training("whole", options).run();
        Random random = new Random(8);
        int[] left = {random.nextInt(4)};
        TrainingResult result = null;
        boolean begun = false;
        int crashes = 0;
        int interruptions = 0;
        while (result == null || !result.complete()) {
            boolean crashes1 = random.nextBoolean();
            HeadTraining training = training("broken", options).withListener(new TrainingListener() {
                @Override
                public void stepped(TrainingStep step) {
                    if (left[0]-- == 0 && crashes1) {
                        throw new IllegalStateException("crash");
                    }
                }
            });
            training = training.withCancelled(() -> left[0] < 0);
            try {
                result = begun ? training.resume() : training.run();
                interruptions += result.complete() ? 0 : 1;
            } catch (IllegalStateException e) {
                crashes++;
            }
            begun = Files.exists(outputs.resolve("broken").resolve(TrainingRun.CHECKPOINT));
            left[0] = 1 + random.nextInt(4);
        }

        assertTrue(crashes > 0 && interruptions > 0, crashes + " crashes, " + interruptions + " interruptions");
        assertEquals(whole.steps(), result.steps());
        assertEquals(log("whole"), log("broken"));
        for (String file : List.of("hydra_lm_head.safetensors", "config.json")) {
            assertArrayEquals(
                    Files.readAllBytes(outputs.resolve("whole").resolve(file)),
                    Files.readAllBytes(outputs.resolve("broken").resolve(file)),
                    file);
        }
    }

    @Test
    void aRunThatCrashedAtItsVeryEndMeasuresNothingAgain() throws IOException {
        TrainingOptions options =
                options(Recipe.MEDUSA).tokens(400).treeNodes(4).build();
        HeadTraining crashing = training("end", options).withListener(new TrainingListener() {
            @Override
            public void busy(String what) {
                if (what.equals("tuning a tree")) {
                    throw new IllegalStateException("crash");
                }
            }
        });
        assertThrows(IllegalStateException.class, crashing::run);
        List<String> before = log("end");

        TrainingResult result = training("end", options).resume();

        assertTrue(result.complete() && result.tree().isPresent());
        assertEquals(before, log("end"));
    }

    @Test
    void aRunThatDivergesLeavesItsLastCheckpoint() throws IOException {
        // Whose matrices grow by about 1 a step: sixty-four blocks of them overflow.
        TrainingOptions options = options(Recipe.HYDRA)
                .design(HeadsDesign.of(Kind.HYDRA).withHeads(2).withBlocks(64))
                .optimiser(OptimiserOptions.DEFAULT
                        .withLearningRate(1)
                        .withWarmUpSteps(0)
                        .withClip(0))
                .checkpointTokens(1)
                .build();
        Path checkpoint = outputs.resolve("diverging").resolve(TrainingRun.CHECKPOINT);
        List<Long> steps = new ArrayList<>();
        HeadTraining training = training("diverging", options).withListener(new TrainingListener() {
            @Override
            public void stepped(TrainingStep step) {
                steps.add(step.step());
            }
        });
        TrainingException.Diverged diverged = assertThrows(TrainingException.Diverged.class, training::run);
        byte[] saved = Files.readAllBytes(checkpoint);

        assertEquals(steps.get(steps.size() - 1), diverged.step());
        assertRefused(TrainingException.Diverged.class, "is not finite: lower the learning rate", training::resume);
        assertArrayEquals(saved, Files.readAllBytes(checkpoint));
    }

    @Test
    void aLogOnAFullDiskIsOneLine() throws IOException {
        Path full = Files.createDirectory(outputs.resolve("full"));
        Path log = Files.createSymbolicLink(full.resolve(TrainingRun.LOG), Path.of("/dev/full"));
        assertRefused(
                TrainingException.NotSaved.class,
                "log.jsonl: cannot be written: No space left on device: the checkpoint before is whole: make room",
                () -> training("full", options(Recipe.MEDUSA).build()).run());
        Files.delete(log);
    }

    @Test
    void theLogHasALineForEachStepAndEachEvaluation() throws IOException {
        TrainingResult result = training("log", options(Recipe.MEDUSA).build()).run();

        List<Json> lines = Files.readAllLines(outputs.resolve("log").resolve("log.jsonl")).stream()
                .map(Json::parse)
                .toList();
        assertEquals(
                result.steps(), lines.stream().filter(line -> line.has("loss")).count());
        assertEquals(
                result.evaluations().size(),
                lines.stream().filter(line -> line.has("chain_length")).count());
        assertEquals(3, result.evaluations().size());
        Json last = lines.get(lines.size() - 1);
        assertEquals(2, last.get("accuracies").list().size());
        assertTrue(result.tokens() >= 3000 && result.tokens() < 3000 + 4 * 64);
    }

    @Test
    void oneShortTextIsEnoughToMeasureOn() throws IOException {
        Path text = Files.writeString(outputs.resolve("short.txt"), "public final class Tree {");
        TrainingOptions options = options(Recipe.MEDUSA).tokens(200).build();
        TrainingResult result =
                training("short", options).withHeldOut(List.of(text)).run();
        for (Evaluation evaluation : result.evaluations()) {
            assertTrue(evaluation.chainLength() >= 1, evaluation::toString);
            assertTrue(evaluation.tunedTreeLength() >= 1, evaluation::toString);
        }
    }

    @Test
    void aDurationEndsARunToo() {
        TrainingOptions options =
                options(Recipe.MEDUSA).duration(Duration.ofMillis(300)).build();
        TrainingResult result = training("duration", options).run();
        assertTrue(result.complete() && result.seconds() >= 0.3);
    }

    @Test
    void aCheckpointIsNeitherOverwrittenNorResumedWithOtherOptions() throws IOException {
        TrainingOptions options = options(Recipe.MEDUSA).tokens(200).build();
        assertRefused(TrainingException.CheckpointMismatch.class, "there is none to resume", () -> training(
                        "checkpoint", options)
                .resume());
        training("checkpoint", options).run();
        assertRefused(TrainingException.CheckpointMismatch.class, "there is one of an earlier run", () -> training(
                        "checkpoint", options)
                .run());
        assertRefused(
                TrainingException.CheckpointMismatch.class,
                "it belongs to another run, which began with clip=1.0, seed=5 instead of clip=2.0, seed=6: resume with what",
                () -> training(
                                "checkpoint",
                                options.toBuilder()
                                        .seed(6)
                                        .optimiser(options.optimiser().withClip(2))
                                        .build())
                        .resume());
        Path other = Files.copy(data, outputs.resolve("x, seed=7[batch=4].jsonl"));
        assertRefused(
                TrainingException.CheckpointMismatch.class,
                "began with data=[data.jsonl of " + Files.size(data)
                        + " bytes] instead of data=[x, seed=7[batch=4].jsonl of " + Files.size(data) + " bytes]: ",
                () -> HeadTraining.of(model, List.of(other), outputs.resolve("checkpoint"), options)
                        .resume());
        // More tokens are no other run.
        TrainingResult longer =
                training("checkpoint", options.toBuilder().tokens(400).build()).resume();
        assertTrue(longer.complete() && longer.tokens() >= 400);
    }

    @Test
    void withProductsOfBf16ARunLearnsAsWellAndIsResumedToTheBit() throws IOException {
        TrainingOptions options = options(Recipe.HYDRA_PLUS_PLUS).tokens(1000).build();
        TrainingOptions bf16 = options.toBuilder().products(Products.BF16).build();
        TrainingResult expected = training("float32", options).run();
        TrainingResult whole = training("bf16", bf16).run();
        long[] steps = {0};
        HeadTraining interrupted = training("halves", bf16).withCancelled(() -> steps[0]++ == 2);
        assertFalse(interrupted.run().complete());

        assertRefused(
                TrainingException.CheckpointMismatch.class,
                "began with products=BF16 instead of products=FLOAT32: ",
                () -> training("halves", options).resume());
        training("halves", bf16).resume();

        assertTrue(whole.lastLoss() < 0.95 * whole.firstLoss(), () -> "" + whole);
        assertEquals(1, whole.lastLoss() / expected.lastLoss(), 0.02);
        assertNotEquals(log("float32"), log("bf16"));
        assertEquals(log("bf16"), log("halves"));
        assertArrayEquals(
                Files.readAllBytes(outputs.resolve("bf16").resolve("hydra_lm_head.safetensors")),
                Files.readAllBytes(outputs.resolve("halves").resolve("hydra_lm_head.safetensors")));
    }

    @Test
    void whatCannotBeWrittenLeavesTheLastCheckpoint() throws IOException {
        TrainingOptions options = options(Recipe.MEDUSA).build();
        Path heads = outputs.resolve("unwritable");
        Path blocked = heads.resolve("medusa_lm_head.safetensors");
        HeadTraining training = training("unwritable", options).withListener(new TrainingListener() {
            @Override
            public void stepped(TrainingStep step) {
                try {
                    if (step.tokens() > 1500 && step.tokens() < 2500 && !Files.isDirectory(blocked)) {
                        Files.deleteIfExists(blocked);
                        Files.createDirectories(blocked.resolve("in-the-way"));
                    }
                } catch (IOException e) {
                    throw new UncheckedIOException(e);
                }
            }
        });
        TrainingException.NotSaved refused = assertThrows(TrainingException.NotSaved.class, training::run);
        assertTrue(refused.getMessage().contains("cannot be written"), refused.getMessage());
        Files.delete(blocked.resolve("in-the-way"));
        Files.delete(blocked);
        assertFalse(Files.exists(heads.resolve(TrainingRun.CHECKPOINT)));
    }

    @Test
    void twoRunsDoNotWriteOneFolder() throws IOException {
        TrainingOptions options = options(Recipe.MEDUSA).tokens(200).build();
        HeadTraining second = training("shared", options);
        HeadTraining first = second.withListener(new TrainingListener() {
            @Override
            public void stepped(TrainingStep step) {
                assertRefused(HydraException.class, "another run writes it", second::run);
            }
        });
        assertTrue(first.run().complete());
    }

    @Test
    void whatCannotBeTrainedIsRefusedBeforeItBegins() throws IOException {
        assertRefused(HydraException.class, "longer than the context", () -> training(
                        "a", options(Recipe.HYDRA).sequenceLength(257).build())
                .run());
        assertRefused(HydraException.class, "a draft vocabulary of 999 tokens is larger than", () -> training(
                        "b",
                        options(Recipe.HYDRA)
                                .design(HeadsDesign.of(Kind.HYDRA).withDraftVocabulary(999))
                                .build())
                .run());
        assertRefused(InsufficientMemoryException.class, "give a smaller batch", () -> training(
                        "c",
                        options(Recipe.HYDRA)
                                .design(HeadsDesign.of(Kind.HYDRA).withHeads(60).withBlocks(64))
                                .sequenceLength(256)
                                .batch(16384)
                                .build())
                .run());
        assertRefused(HydraException.class, "has no tokenizer", () -> HeadTraining.of(
                        Original.base(),
                        List.of(data),
                        outputs.resolve("d"),
                        options(Recipe.HYDRA).build())
                .run());
        assertRefused(HydraException.class, "cannot be made", () -> HeadTraining.of(
                        model,
                        List.of(data),
                        outputs.resolve("no/e"),
                        options(Recipe.HYDRA).build())
                .run());
        Path empty = Files.writeString(outputs.resolve("empty.txt"), "");
        assertRefused(TrainingException.NoData.class, "empty.txt", () -> HeadTraining.of(
                        model,
                        List.of(empty),
                        outputs.resolve("f"),
                        options(Recipe.HYDRA).build())
                .run());
        assertThrows(
                IllegalArgumentException.class,
                () -> HeadTraining.of(
                        model,
                        List.of(),
                        outputs.resolve("g"),
                        options(Recipe.HYDRA).build()));
        try (Stream<Path> left = Files.list(outputs)) {
            assertEquals(List.of(empty), left.toList(), "folders of nothing are left");
        }
        Path own = Files.createDirectory(outputs.resolve("own"));
        assertRefused(HydraException.class, "longer than the context", () -> training(
                        "own", options(Recipe.HYDRA).sequenceLength(257).build())
                .run());
        assertTrue(Files.isDirectory(own), "what was there before stays");
    }

    private static void assertRefused(Class<? extends HydraException> kind, String message, Executable run) {
        HydraException refused = assertThrows(kind, run);
        assertTrue(refused.getMessage().contains(message), refused.getMessage());
        assertEquals(1, refused.getMessage().lines().count());
    }
}
