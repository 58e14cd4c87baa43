package io.hydra4j.draft;

import java.nio.IntBuffer;
import java.util.Arrays;

/**
 * Finds where the end of a growing text was before: of the latest occurrences of its last tokens the one with the longest match.
 * The structure is that of LZ77 compressors: a hash table leads to the latest place where two tokens stood together, and from
 * each place a link to the one before. A token costs constant time to add, a search looks at no more than {@link #MOST_PLACES}
 * places; memory is four ints a token. Not thread-safe.
 */
final class RepeatedEnd {
    /** The most places that a search looks at. */
    private static final int MOST_PLACES = 64;
    /** A match of so many tokens is as good as a longer one. */
    private static final int LONGEST = 32;
    /** Tokens of the shortest match. */
    private static final int SHORTEST = 2;

    private static final int NONE = -1;

    // Place i is the one where tokens i - 1 and i stand.
    private int[] tokens = new int[0];
    private int[] before = new int[0];
    private int[] latest = filled(1 << 8);
    private int length;

    /**
     * The tokens that followed where the end of a text was before.
     *
     * @param text all that was given to the call before, unless {@link #truncate} came between, and more
     * @param chain gets the tokens
     * @param most how many are wanted
     * @return how many there are: 0 where the last two tokens did not occur before, else {@code most}
     */
    int continuation(IntBuffer text, int[] chain, int most) {
        int end = text.remaining() - 1;
        append(text, end);
        if (end < SHORTEST) {
            return 0;
        }
        int place = find(text, end);
        if (place == NONE) {
            return 0;
        }
        for (int i = 0; i < most; i++) {
            int at = place + 1 + i;
            // Past the end the text repeats itself with the period that was found.
            chain[i] = at <= end ? text.get(at) : chain[at - end - 1];
        }
        return most;
    }

    /** Forgets what stands from a length on. */
    void truncate(int to) {
        while (length > to) {
            length--;
            if (length > 0) {
                latest[slot(tokens[length - 1], tokens[length])] = before[length];
            }
        }
    }

    /** Adds the places of the text before {@code end}, whose own place is to be found and not there yet. */
    private void append(IntBuffer text, int end) {
        if (end > tokens.length) {
            int capacity = Math.max(end, tokens.length * 2);
            tokens = Arrays.copyOf(tokens, capacity);
            before = Arrays.copyOf(before, capacity);
        }
        for (; length < end; length++) {
            tokens[length] = text.get(length);
            add(length);
        }
        if (length > latest.length) {
            latest = filled(latest.length * 4);
            for (int i = 0; i < length; i++) {
                add(i);
            }
        }
    }

    private void add(int place) {
        if (place > 0) {
            int slot = slot(tokens[place - 1], tokens[place]);
            before[place] = latest[slot];
            latest[slot] = place;
        }
    }

    private int find(IntBuffer text, int end) {
        int best = NONE;
        int bestLength = SHORTEST - 1;
        int place = latest[slot(text.get(end - 1), text.get(end))];
        for (int i = 0; i < MOST_PLACES && place != NONE && bestLength < LONGEST; i++, place = before[place]) {
            int match = match(text, end, place);
            if (match > bestLength) {
                best = place;
                bestLength = match;
            }
        }
        return best;
    }

    /** How many tokens up to a place are those up to the end. */
    private static int match(IntBuffer text, int end, int place) {
        int match = 0;
        while (match < LONGEST && match <= place && text.get(place - match) == text.get(end - match)) {
            match++;
        }
        return match;
    }

    private int slot(int first, int second) {
        int hash = (first * 0x9e3779b1 + second) * 0x85ebca6b;
        return hash >>> 1 & latest.length - 1 ^ hash >>> 15 & latest.length - 1;
    }

    private static int[] filled(int size) {
        int[] array = new int[size];
        Arrays.fill(array, NONE);
        return array;
    }
}
