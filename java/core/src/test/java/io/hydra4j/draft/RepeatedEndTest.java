package io.hydra4j.draft;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.IntBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class RepeatedEndTest {
    private final RepeatedEnd text = new RepeatedEnd(List.of());

    private int[] continuation(int most, int... tokens) {
        int[] chain = new int[most];
        return Arrays.copyOf(chain, text.continuation(IntBuffer.wrap(tokens), chain, most));
    }

    /** What the class is to find, looked for everywhere: the latest of the longest matches, of 2 to 32 tokens. */
    private static int[] expected(int most, int... tokens) {
        int end = tokens.length - 1;
        int best = -1;
        int longest = 1;
        for (int place = end - 1; place >= 1; place--) {
            int match = 0;
            while (match < 32 && match <= place && tokens[place - match] == tokens[end - match]) {
                match++;
            }
            if (match > longest) {
                longest = match;
                best = place;
            }
        }
        int[] chain = new int[best < 0 ? 0 : most];
        for (int i = 0; i < chain.length; i++) {
            chain[i] = tokens[best + 1 + i % (end - best)];
        }
        return chain;
    }

    @Test
    void whatFollowedTheLongestMatchIsFound() {
        assertArrayEquals(new int[] {4, 5}, continuation(2, 1, 2, 3, 4, 5, 9, 2, 3, 7, 1, 2, 3));
    }

    @Test
    void ofEquallyLongMatchesTheLatestCounts() {
        assertArrayEquals(new int[] {8, 1}, continuation(2, 1, 2, 3, 1, 2, 8, 1, 2));
    }

    @Test
    void oneTokenAloneIsNoMatch() {
        assertEquals(0, continuation(4, 5, 1, 6, 2, 5).length);
        assertEquals(0, new RepeatedEndTest().continuation(4, 5).length);
        assertEquals(0, new RepeatedEndTest().continuation(4, 5, 5).length);
    }

    @Test
    void pastTheEndTheTextRepeatsItself() {
        assertArrayEquals(new int[] {7, 8, 9, 7, 8, 9, 7}, continuation(7, 7, 8, 9, 7, 8, 9));
        assertArrayEquals(new int[] {4, 4, 4}, new RepeatedEndTest().continuation(3, 4, 4, 4));
    }

    @Test
    void agreesWithASearchEverywhereAsTheTextGrows() {
        // Few matches of two tokens share a slot here, so that all of them are looked at.
        int[] tokens = new Random(1).ints(3000, 0, 40).toArray();
        for (int length = 2; length <= tokens.length; length += 1 + length % 7) {
            int[] now = Arrays.copyOf(tokens, length);
            assertArrayEquals(expected(5, now), continuation(5, now), "length " + length);
        }
    }

    @Test
    void whatWasCutOffIsForgotten() {
        int[] first = new Random(2).ints(2000, 0, 30).toArray();
        int[] second = new Random(3).ints(2000, 0, 30).toArray();
        continuation(1, first);
        for (int kept : new int[] {1990, 700, 1, 0}) {
            text.truncate(kept);
            int[] now = IntStream.concat(Arrays.stream(first, 0, kept), Arrays.stream(second))
                    .toArray();
            assertArrayEquals(expected(5, now), continuation(5, now), "kept " + kept);
            text.truncate(kept);
            continuation(1, first);
        }
    }

    @Test
    void aLongRunOfOneTokenIsNoLongSearch() {
        int[] same = new int[200_000];
        for (int length = 199_000; length <= same.length; length++) {
            assertEquals(8, continuation(8, Arrays.copyOf(same, length)).length);
        }
    }
}
