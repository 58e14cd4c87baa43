package io.hydra4j.draft;

import java.nio.IntBuffer;
import java.util.Arrays;

/**
 * How likely it is that a text goes on as it did where its end was before, by how long the two have been alike: learned from what
 * became of the guesses before. Not thread-safe.
 */
final class RepeatChances {
    /** Lengths from which on the chances of guesses are learned together. */
    private static final int[] LENGTHS = {2, 3, 4, 5, 6, 8, 11, 16, 23, 32};
    /** What is expected of them before anything was seen. */
    private static final double[] PRIOR = {.40, .50, .58, .64, .69, .74, .80, .86, .90, .93};
    /** Guesses that the prior counts as, and after which what was seen counts half. */
    private static final double PRIOR_COUNT = 8;

    private static final double MEMORY = 200;

    private final double[] right = new double[LENGTHS.length];
    private final double[] all = new double[LENGTHS.length];

    // The last guesses, what they follow, and how long that was alike.
    private int[] chain = new int[0];
    private int count;
    private int first;
    private int matched;

    RepeatChances() {
        for (int i = 0; i < right.length; i++) {
            right[i] = PRIOR[i] * PRIOR_COUNT;
            all[i] = PRIOR_COUNT;
        }
    }

    /** Notes guesses for the places of a text from {@code first} on. */
    void guessed(int[] guesses, int its, int from, int alike) {
        chain = its > chain.length ? Arrays.copyOf(guesses, its) : chain;
        System.arraycopy(guesses, 0, chain, 0, its);
        count = its;
        first = from;
        matched = alike;
    }

    /** Takes in what became of the last guesses. */
    void learn(IntBuffer text) {
        for (int i = 0; i < count && first + i < text.remaining(); i++) {
            boolean isRight = text.get(first + i) == chain[i];
            int bucket = bucket(matched + i);
            all[bucket]++;
            right[bucket] += isRight ? 1 : 0;
            if (all[bucket] > MEMORY) {
                all[bucket] /= 2;
                right[bucket] /= 2;
            }
            if (!isRight) {
                break;
            }
        }
        count = 0;
    }

    /** The last guesses are not to be learned from. */
    void forget() {
        count = 0;
    }

    /** How likely each of the last guesses is right where the one before it is. */
    void of(float[] chances, int its) {
        for (int i = 0; i < its; i++) {
            int bucket = bucket(matched + i);
            chances[i] = (float) Math.max(0.01, Math.min(0.99, right[bucket] / all[bucket]));
        }
    }

    private static int bucket(int alike) {
        int place = Arrays.binarySearch(LENGTHS, alike);
        return Math.max(0, place >= 0 ? place : -place - 2);
    }
}
