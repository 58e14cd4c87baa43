package io.hydra4j.train;

import java.util.Comparator;
import java.util.stream.IntStream;

/** Chooses the tokens that heads draft from. */
final class DraftVocabulary {
    /** Tokens of the data that are counted. */
    private static final long COUNTED = 2_000_000;

    private DraftVocabulary() {}

    /**
     * The tokens that are most frequent at the beginning of the data, the most frequent first, rare ones in their own order.
     *
     * @param sequences from its beginning on
     * @param vocabulary the base's
     */
    static int[] of(SequenceStream sequences, int vocabulary, int size) {
        long[] counts = new long[vocabulary];
        for (long counted = 0; counted < COUNTED && sequences.position().epoch() == 0; ) {
            int[] tokens = sequences.next().tokens();
            for (int token : tokens) {
                counts[token]++;
            }
            counted += tokens.length;
        }
        return IntStream.range(0, vocabulary)
                .boxed()
                .sorted(Comparator.<Integer>comparingLong(id -> -counts[id]))
                .limit(size)
                .mapToInt(Integer::intValue)
                .toArray();
    }
}
