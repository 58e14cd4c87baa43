package io.hydra4j.text;

import java.util.Arrays;
import java.util.List;

/**
 * For every place of a text, the longest of many patterns that begins there, in time that is linear in the text,
 * whatever the patterns are: the automaton of Aho and Corasick over the patterns read backwards, run from the end of
 * the text to its start. Immutable and thread-safe.
 */
final class LongestMatches {
    private static final int ROOT = 0;

    /** {@code [states]}: where to go on when there is no transition. */
    private final int[] fallback;
    /** {@code [states]}: the longest pattern that begins where the state has been reached, or -1. */
    private final int[] pattern;
    /** Open addressing: (state + 1) << 16 | character, 0 where free; beside it the next state. */
    private final long[] keys;

    private final int[] targets;

    /** @param patterns none of them empty; of two that are equal the first counts */
    LongestMatches(List<String> patterns) {
        int most = 1 + patterns.stream().mapToInt(String::length).sum();
        keys = new long[Integer.highestOneBit(most) << 2];
        targets = new int[keys.length];
        int[] parents = new int[most];
        char[] characters = new char[most];
        int[] own = new int[most];
        int[] depths = new int[most];
        Arrays.fill(own, -1);
        int states = 1;
        for (int i = 0; i < patterns.size(); i++) {
            String text = patterns.get(i);
            int state = ROOT;
            for (int at = text.length() - 1; at >= 0; at--) {
                int next = target(state, text.charAt(at));
                if (next < 0) {
                    next = states++;
                    put(state, text.charAt(at), next);
                    parents[next] = state;
                    characters[next] = text.charAt(at);
                    depths[next] = depths[state] + 1;
                }
                state = next;
            }
            own[state] = own[state] < 0 ? i : own[state];
        }
        pattern = Arrays.copyOf(own, states);
        fallback = new int[states];
        for (int state : byDepth(depths, states)) {
            if (depths[state] > 1) {
                fallback[state] = next(fallback[parents[state]], characters[state]);
            }
            if (pattern[state] < 0) {
                pattern[state] = pattern[fallback[state]];
            }
        }
    }

    /** @return for each UTF-16 unit of the text the number of the longest pattern that begins with it, or -1 */
    int[] in(String text) {
        int[] found = new int[text.length()];
        int state = ROOT;
        for (int at = found.length - 1; at >= 0; at--) {
            state = next(state, text.charAt(at));
            found[at] = pattern[state];
        }
        return found;
    }

    private int next(int from, char c) {
        int state = from;
        int next = target(state, c);
        while (next < 0 && state != ROOT) {
            state = fallback[state];
            next = target(state, c);
        }
        return Math.max(next, ROOT);
    }

    private int target(int state, char c) {
        long key = key(state, c);
        int slot = slot(key);
        while (keys[slot] != 0) {
            if (keys[slot] == key) {
                return targets[slot];
            }
            slot = slot + 1 & keys.length - 1;
        }
        return -1;
    }

    private void put(int state, char c, int next) {
        int slot = slot(key(state, c));
        while (keys[slot] != 0) {
            slot = slot + 1 & keys.length - 1;
        }
        keys[slot] = key(state, c);
        targets[slot] = next;
    }

    private static long key(int state, char c) {
        return (state + 1L) << 16 | c;
    }

    private int slot(long key) {
        long mixed = key * 0x9E3779B97F4A7C15L;
        return (int) (mixed >>> 32) & keys.length - 1;
    }

    private static int[] byDepth(int[] depths, int states) {
        int[] starts = new int[Arrays.stream(depths).max().orElse(0) + 2];
        for (int state = 0; state < states; state++) {
            starts[depths[state] + 1]++;
        }
        Arrays.parallelPrefix(starts, Integer::sum);
        int[] order = new int[states];
        for (int state = 0; state < states; state++) {
            order[starts[depths[state]]++] = state;
        }
        return order;
    }
}
