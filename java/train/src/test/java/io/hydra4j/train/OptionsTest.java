package io.hydra4j.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.train.HeadsDesign.Kind;
import io.hydra4j.train.HeadsDesign.LmHead;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

class OptionsTest {
    private static TrainingOptions.Builder builder() {
        return TrainingOptions.builder(Recipe.HYDRA_PLUS_PLUS);
    }

    @Test
    void recipesAreThoseOfThePapers() {
        TrainingOptions options = builder().build();
        assertEquals(HeadsDesign.of(Kind.HYDRA_PLUS_PLUS).withBlocks(4), options.design());
        assertEquals(Objective.TEACHER.withDropout(0.2), options.objective());
        assertEquals(5e-4, options.optimiser().learningRate());
        assertEquals(1, Recipe.HYDRA.design().blocks());
        assertEquals(Objective.DATA, Recipe.MEDUSA.objective());
        assertEquals(0, Recipe.MEDUSA.optimiser().floor());
    }

    @Test
    void copiesAreEqualAndEachValueMakesADifference() {
        TrainingOptions options = builder()
                .tokens(5)
                .sequenceLength(64)
                .batch(3)
                .accumulation(2)
                .seed(7)
                .threads(1)
                .build();
        assertEquals(options, options.toBuilder().build());
        assertEquals(options.hashCode(), options.toBuilder().build().hashCode());
        for (TrainingOptions other : List.of(
                options.toBuilder().tokens(6).build(),
                options.toBuilder().duration(Duration.ofMinutes(1)).build(),
                options.toBuilder().sequenceLength(65).build(),
                options.toBuilder().batch(4).build(),
                options.toBuilder().accumulation(1).build(),
                options.toBuilder().seed(8).build(),
                options.toBuilder().threads(2).build(),
                options.toBuilder().evaluationTokens(1).build(),
                options.toBuilder().checkpointTokens(1).build(),
                options.toBuilder().heldOutTokens(999).build(),
                options.toBuilder()
                        .design(options.design().withTiedBlocks(true))
                        .build(),
                options.toBuilder().objective(Objective.DATA).build(),
                options.toBuilder()
                        .optimiser(options.optimiser().withEpsilon(1e-6))
                        .build())) {
            assertNotEquals(options, other);
        }
        HeadsDesign design = HeadsDesign.of(Kind.HYDRA);
        for (HeadsDesign other : List.of(
                design.withKind(Kind.MEDUSA),
                design.withHeads(3),
                design.withBlocks(2),
                design.withTiedBlocks(true),
                design.withLmHead(LmHead.PRIVATE),
                design.withDraftVocabulary(64))) {
            assertNotEquals(design, other);
        }
    }

    @Test
    void theLearningRateRisesThenFallsToItsFloor() {
        OptimiserOptions options = OptimiserOptions.DEFAULT
                .withLearningRate(0.01)
                .withWarmUpSteps(4)
                .withFloor(0.2);
        assertEquals(0.0025, options.learningRate(0, 0), 1e-12);
        assertEquals(0.01, options.learningRate(4, 0), 1e-12);
        assertEquals(0.006, options.learningRate(100, 0.5), 1e-12);
        assertEquals(0.002, options.learningRate(200, 1), 1e-12);
        assertEquals(0.002, options.learningRate(200, 1.5), 1e-12);
        assertEquals(0.01, options.withFloor(1).learningRate(200, 0.9), 1e-12);
    }

    @Test
    void valuesOutOfRangeAreNamedWithTheRange() {
        HeadsDesign design = HeadsDesign.of(Kind.HYDRA);
        assertRefused("heads is 0: give 1 to 63", () -> design.withHeads(0));
        assertRefused("blocks is 65: give 1 to 64", () -> design.withBlocks(65));
        assertRefused("draftVocabulary is 31: give 32", () -> design.withDraftVocabulary(31));
        assertRefused("dataWeight and teacherWeight are 0", () -> Objective.DATA.withWeights(0, 0));
        assertRefused("teacherWeight is NaN: give 0 to 1000", () -> Objective.DATA.withWeights(1, Double.NaN));
        assertRefused("headWeights are all 0", () -> Objective.DATA.withHeadWeights(0, 0));
        assertRefused("a weight of headWeights is -1.0", () -> Objective.DATA.withHeadWeights(-1));
        assertRefused("dropout is 1.0: give 0 to 0.9", () -> Objective.DATA.withDropout(1));
        assertRefused("embeddingNoise is -1.0", () -> Objective.DATA.withEmbeddingNoise(-1));
        OptimiserOptions optimiser = OptimiserOptions.DEFAULT;
        assertRefused("learningRate is 0.0", () -> optimiser.withLearningRate(0));
        assertRefused("beta1 is 1.0", () -> optimiser.withBetas(1, 0.9));
        assertRefused("beta2 is -0.1", () -> optimiser.withBetas(0.9, -0.1));
        assertRefused("epsilon is 0.0", () -> optimiser.withEpsilon(0));
        assertRefused("weightDecay is 2.0", () -> optimiser.withWeightDecay(2));
        assertRefused("warmUpSteps is -1", () -> optimiser.withWarmUpSteps(-1));
        assertRefused("floor is 1.1", () -> optimiser.withFloor(1.1));
        assertRefused("clip is -1.0", () -> optimiser.withClip(-1));
        assertRefused("tokens is 0", () -> builder().tokens(0));
        assertRefused("duration is PT0S", () -> builder().duration(Duration.ZERO));
        assertRefused("sequenceLength is 7", () -> builder().sequenceLength(7));
        assertRefused("batch is 0", () -> builder().batch(0));
        assertRefused("accumulation is 0", () -> builder().accumulation(0));
        assertRefused("threads is 257", () -> builder().threads(257));
        assertRefused("evaluationTokens is -1", () -> builder().evaluationTokens(-1));
        assertRefused("checkpointTokens is -1", () -> builder().checkpointTokens(-1));
        assertRefused("heldOutTokens is 5", () -> builder().heldOutTokens(5));
        assertRefused(
                "2 head weights for 4 heads",
                () -> builder().objective(Objective.DATA.withHeadWeights(1, 2)).build());
        assertRefused(
                "sequenceLength is 8, too short for 9 heads: give at least 11",
                () -> builder().sequenceLength(8).design(design.withHeads(9)).build());
    }

    private static void assertRefused(String message, Executable options) {
        IllegalArgumentException refused = assertThrows(IllegalArgumentException.class, options);
        assertTrue(refused.getMessage().contains(message), refused.getMessage());
    }
}
