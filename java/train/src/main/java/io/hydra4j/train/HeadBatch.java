package io.hydra4j.train;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Sequences one after another, and where each head guesses what. A head that stands at row r of the batch sees the tokens at r + 1 to
 * r + 1 + head, guesses the one at r + 2 + head, and its teacher stands at r + 1 + head. The arrays are not copied.
 *
 * @param tokens {@code [positions]}
 * @param starts {@code [sequences + 1]}: the first row of each sequence, and the end
 * @param rows {@code [heads][...]}: the rows at which a head guesses a token that counts, ascending
 */
record HeadBatch(int[] tokens, long[] starts, List<int[]> rows) {
    static HeadBatch of(List<TokenText> sequences, int heads) {
        long[] starts = new long[sequences.size() + 1];
        for (int i = 0; i < sequences.size(); i++) {
            starts[i + 1] = starts[i] + sequences.get(i).tokens().length;
        }
        int[] tokens = new int[Math.toIntExact(starts[sequences.size()])];
        for (int i = 0; i < sequences.size(); i++) {
            int[] part = sequences.get(i).tokens();
            System.arraycopy(part, 0, tokens, (int) starts[i], part.length);
        }
        List<int[]> rows = new ArrayList<>();
        for (int head = 0; head < heads; head++) {
            rows.add(rows(sequences, starts, head));
        }
        return new HeadBatch(tokens, starts, rows);
    }

    private static int[] rows(List<TokenText> sequences, long[] starts, int head) {
        int[] rows =
                new int[sequences.stream().mapToInt(text -> text.rows(head)).sum()];
        int count = 0;
        for (int i = 0; i < sequences.size(); i++) {
            boolean[] targets = sequences.get(i).targets();
            for (int label = head + 2; label < targets.length; label++) {
                if (targets[label]) {
                    rows[count++] = (int) starts[i] + label - head - 2;
                }
            }
        }
        return rows;
    }

    int positions() {
        return tokens.length;
    }

    int sequences() {
        return starts.length - 1;
    }

    /** The tokens of one sequence. */
    int[] sequence(int index) {
        return Arrays.copyOfRange(tokens, (int) starts[index], (int) starts[index + 1]);
    }
}
