package io.hydra4j.decode;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** The reference itself: the generator's published values, the functions beside those of {@link Math}, and each step by hand. */
class SamplingReferenceTest {
    @Test
    void philoxGivesThePublishedWords() {
        assertArrayEquals(new int[] {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}, Gumbel.philox(new int[4], 0, 0));
        assertArrayEquals(
                new int[] {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
                Gumbel.philox(new int[] {-1, -1, -1, -1}, -1, -1));
        assertArrayEquals(
                new int[] {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1},
                Gumbel.philox(new int[] {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, 0xa4093822, 0x299f31d0));
    }

    @Test
    void exponentialAndLogarithmAreExactToAFewUnits() {
        for (float x = -80; x < 80; x += 0.0137f) {
            assertEquals(1, Gumbel.exp(x) / Math.exp(x), 3e-7, "exp " + x);
        }
        for (float y = 1e-30f; y < 1e30f; y *= 1.0173f) {
            assertEquals(Math.log(y), Gumbel.log(y), 3e-7 * Math.max(1e-3, Math.abs(Math.log(y))), "log " + y);
        }
    }

    @Test
    void noiseHasMeanAndVarianceOfTheGumbelDistribution() {
        int count = 200_000;
        double[] draws = IntStream.range(0, count)
                .mapToDouble(i -> Gumbel.noise(7, 1 + i / 1000, i % 1000))
                .toArray();
        double mean = IntStream.range(0, count).mapToDouble(i -> draws[i]).sum() / count;
        double variance = IntStream.range(0, count)
                        .mapToDouble(i -> (draws[i] - mean) * (draws[i] - mean))
                        .sum()
                / count;

        assertEquals(0.5772, mean, 0.015);
        assertEquals(Math.PI * Math.PI / 6, variance, 0.04);
    }

    @Test
    void penaltiesCountPromptAndTextAsStated() {
        float[] logits = {2, -2, 2, 2, 2};
        Sampling options = Sampling.GREEDY
                .withLogitBias(Map.of(4, 3f))
                .withRepetitionPenalty(2)
                .withPresencePenalty(0.5f)
                .withFrequencyPenalty(0.25f);

        float[] penalized = SamplingReference.penalized(
                logits, options, new int[] {0, 0, 1, 2, 2}, new boolean[] {false, false, false, true, true});

        assertArrayEquals(new float[] {1, -4, 1 - 0.5f - 2 * 0.25f, 2, 5}, penalized);
    }

    @Test
    void filtersKeepWhatTheOneBeforeHasLeft() {
        float[] distances = {0, (float) Math.log(2), (float) Math.log(4), (float) Math.log(4), 5};
        // Masses 8 : 4 : 2 : 2 of the first four.
        Sampling four = Sampling.GREEDY.withTopK(4);

        assertEquals(List.of(0, 1, 2, 3), SamplingReference.kept(distances, four));
        assertEquals(List.of(0, 1, 2), SamplingReference.kept(distances, Sampling.GREEDY.withTopK(3)));
        assertEquals(List.of(0, 1), SamplingReference.kept(distances, four.withTopP(0.74f)));
        assertEquals(List.of(0, 1, 2), SamplingReference.kept(distances, four.withTopP(0.76f)));
        assertEquals(List.of(0), SamplingReference.kept(distances, Sampling.GREEDY.withTopP(1e-6f)));
        assertEquals(List.of(0, 1), SamplingReference.kept(distances, four.withMinP(0.3f)));
        assertEquals(List.of(0), SamplingReference.kept(distances, Sampling.GREEDY.withMinP(1)));
    }

    @Test
    void drawsAreDistributedAsTheProbabilities() {
        float[] logits = {0, 1, 2, -1, 0.5f, 1.5f};
        for (Sampling options : List.of(
                Sampling.of(1, 3),
                Sampling.of(0.6f, 4),
                Sampling.of(1.5f, 5).withTopK(4),
                Sampling.of(1, 6).withTopP(0.8f),
                Sampling.of(1, 7).withMinP(0.2f),
                Sampling.of(2, 8).withTopK(5).withTopP(0.9f).withMinP(0.3f))) {
            DrawCounts counts = new DrawCounts(logits, options);
            for (int position = 1; position <= 30_000; position++) {
                counts.add(SamplingReference.select(logits, options, new int[0], new boolean[0], position));
            }
            counts.assertDistributed();
        }
    }

    @Test
    void anotherSeedIsAnotherDraw() {
        float[] logits = new float[100];
        long same = IntStream.range(1, 1001)
                .filter(position -> SamplingReference.select(
                                logits, Sampling.of(1, 1), new int[0], new boolean[0], position)
                        == SamplingReference.select(logits, Sampling.of(1, 2), new int[0], new boolean[0], position))
                .count();

        assertTrue(same < 40, same + " of 1000");
    }
}
