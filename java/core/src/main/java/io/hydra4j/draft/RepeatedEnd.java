package io.hydra4j.draft;

import java.nio.IntBuffer;
import java.util.Arrays;
import java.util.List;

/**
 * Finds where the end of a growing text was before: of the latest occurrences of its last tokens the one with the longest match.
 * The structure is that of LZ77 compressors: a hash table leads to the latest place where two tokens stood together, and from
 * each place a link to the one before. A token costs constant time to add, a search looks at no more than {@link #MOST_PLACES}
 * places; memory is four ints a token. Texts given beside stand before it. Not thread-safe.
 */
final class RepeatedEnd {
    /** The most places that a search looks at. */
    private static final int MOST_PLACES = 64;
    /** A match of so many tokens is as good as a longer one. */
    private static final int LONGEST = 32;
    /** Tokens of the shortest match. */
    private static final int SHORTEST = 2;

    private static final int NONE = -1;
    /** Stands after each text that is given beside, and is like nothing. */
    private static final int END = -1;

    // Place i is the one where tokens i - 1 and i stand.
    private int[] tokens = new int[64];
    private int[] before = new int[64];
    private int[] latest = filled(1 << 8);
    private int length;
    /** Where the text itself begins. */
    private final int begin;

    private int matched;

    /** @param beside texts in which ends are looked for, too */
    RepeatedEnd(List<int[]> beside) {
        for (int[] text : beside) {
            for (int token : text) {
                append(token);
            }
            append(END);
        }
        begin = length;
    }

    /**
     * The tokens that followed where the end of a text was before.
     *
     * @param text all that was given to the call before, unless {@link #truncate} came between, and more
     * @param chain gets the tokens
     * @param most how many are wanted
     * @return how many there are: 0 where the last two tokens did not occur before; fewer than {@code most} where a text given
     *     beside ends
     */
    int continuation(IntBuffer text, int[] chain, int most) {
        matched = 0;
        int end = begin + text.remaining() - 1;
        while (length < end) {
            append(text.get(length - begin));
        }
        if (end < SHORTEST) {
            return 0;
        }
        // The last token is the one that may still be replaced: it is looked for and not yet to be found.
        reserve(end + 1);
        tokens[end] = text.get(end - begin);
        int place = find(end);
        if (place == NONE) {
            return 0;
        }
        for (int i = 0; i < most; i++) {
            int at = place + 1 + i;
            // Past the end the text repeats itself with the period that was found.
            chain[i] = at <= end ? tokens[at] : chain[at - end - 1];
            if (chain[i] == END) {
                return i;
            }
        }
        return most;
    }

    /** How many tokens before the last continuation were alike, at most {@value #LONGEST}. */
    int matched() {
        return matched;
    }

    /** Forgets what stands from a length of the text on. */
    void truncate(int to) {
        while (length > begin + to) {
            length--;
            if (length > 0) {
                latest[slot(tokens[length - 1], tokens[length])] = before[length];
            }
        }
    }

    private void append(int token) {
        reserve(length + 1);
        tokens[length] = token;
        add(length++);
        if (length > latest.length) {
            latest = filled(latest.length * 4);
            for (int i = 0; i < length; i++) {
                add(i);
            }
        }
    }

    private void reserve(int count) {
        if (count > tokens.length) {
            int capacity = Math.max(count, tokens.length * 2);
            tokens = Arrays.copyOf(tokens, capacity);
            before = Arrays.copyOf(before, capacity);
        }
    }

    private void add(int place) {
        if (place > 0) {
            int slot = slot(tokens[place - 1], tokens[place]);
            before[place] = latest[slot];
            latest[slot] = place;
        }
    }

    private int find(int end) {
        int best = NONE;
        int bestLength = SHORTEST - 1;
        int place = latest[slot(tokens[end - 1], tokens[end])];
        for (int i = 0; i < MOST_PLACES && place != NONE && bestLength < LONGEST; i++, place = before[place]) {
            int match = match(end, place);
            if (match > bestLength) {
                best = place;
                bestLength = match;
            }
        }
        matched = best == NONE ? 0 : bestLength;
        return best;
    }

    /** How many tokens up to a place are those up to the end. */
    private int match(int end, int place) {
        int match = 0;
        while (match < LONGEST && match <= place && tokens[place - match] == tokens[end - match]) {
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
