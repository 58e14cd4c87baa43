package io.hydra4j.tuning;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import org.junit.jupiter.api.Test;

class RankSamplesTest {
    private static final int[][] NONE = {};
    private static final int[][] A = {{0}, {1}, {2}};
    private static final int[][] B = {{3}};
    private static final int[][] C = {{4}, {5}};

    private static List<RankSamples> halves(int[][]... continuations) {
        RankSamples samples = new RankSamples();
        for (int[][] continuation : continuations) {
            samples.add(continuation);
        }
        return samples.halves();
    }

    @Test
    void halvesAreEveryOtherContinuationThatIsNotEmpty() {
        List<RankSamples> halves = halves(A, NONE, B, NONE, NONE, C);
        assertEquals(List.of(A, C), halves.get(0).continuations());
        assertEquals(List.<int[][]>of(B), halves.get(1).continuations());
    }

    @Test
    void oneContinuationIsCutInTheMiddle() {
        List<RankSamples> halves = halves(NONE, A);
        assertArrayEquals(new int[][] {{0}}, halves.get(0).continuations().get(0));
        assertArrayEquals(new int[][] {{1}, {2}}, halves.get(1).continuations().get(0));
    }
}
