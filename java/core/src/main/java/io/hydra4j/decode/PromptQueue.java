package io.hydra4j.decode;

import java.util.Arrays;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.Map;

/** Tokens of prompts that sequences have still to take in, in the order in which they came. Not thread-safe. */
final class PromptQueue {
    private final Map<Integer, int[]> waiting = new LinkedHashMap<>();

    /**
     * The next tokens of some prompts.
     *
     * @param sequences [chains]
     * @param counts [chains] tokens of each, at least 1
     * @param tokens those of all, one after the other
     * @param ends [chains] whether they are the last of their prompt
     */
    record Portion(int[] sequences, int[] counts, int[] tokens, boolean[] ends) {
        boolean endsAny() {
            for (boolean end : ends) {
                if (end) {
                    return true;
                }
            }
            return false;
        }
    }

    Collection<Integer> sequences() {
        return waiting.keySet();
    }

    /** Tokens of a sequence that wait. */
    int left(int sequence) {
        return waiting.getOrDefault(sequence, new int[0]).length;
    }

    void add(int sequence, int[] ids) {
        waiting.merge(sequence, ids.clone(), (before, more) -> {
            int[] all = Arrays.copyOf(before, before.length + more.length);
            System.arraycopy(more, 0, all, before.length, more.length);
            return all;
        });
    }

    /** A copy of what waits of these sequences. */
    PromptQueue of(Collection<Integer> sequences) {
        PromptQueue copy = new PromptQueue();
        waiting.forEach((sequence, ids) -> {
            if (sequences.contains(sequence)) {
                copy.add(sequence, ids);
            }
        });
        return copy;
    }

    void addAll(PromptQueue other) {
        other.waiting.forEach(this::add);
    }

    void remove(int sequence) {
        waiting.remove(sequence);
    }

    /** As many tokens as there may be, of these sequences in their order. They stay in the queue. */
    Portion next(Collection<Integer> of, int most) {
        int[] sequences = new int[of.size()];
        int[] counts = new int[of.size()];
        boolean[] ends = new boolean[of.size()];
        int all = of.stream().mapToInt(this::left).sum();
        int[] tokens = new int[Math.min(most, all)];
        int chains = 0;
        int rows = 0;
        for (int sequence : of) {
            int count = Math.min(left(sequence), most - rows);
            if (count > 0) {
                System.arraycopy(waiting.get(sequence), 0, tokens, rows, count);
                sequences[chains] = sequence;
                counts[chains] = count;
                ends[chains++] = count == left(sequence);
                rows += count;
            }
        }
        return new Portion(
                Arrays.copyOf(sequences, chains), Arrays.copyOf(counts, chains), tokens, Arrays.copyOf(ends, chains));
    }

    /** Drops tokens that were taken in. */
    void taken(Portion portion) {
        for (int i = 0; i < portion.sequences().length; i++) {
            int count = portion.counts()[i];
            waiting.computeIfPresent(
                    portion.sequences()[i],
                    (sequence, ids) -> ids.length == count ? null : Arrays.copyOfRange(ids, count, ids.length));
        }
    }
}
