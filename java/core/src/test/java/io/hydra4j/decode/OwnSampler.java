package io.hydra4j.decode;

import java.util.Objects;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/** A loop that selects tokens for itself: always the second best. */
final class OwnSampler {
    private OwnSampler() {}

    /** The emitted tokens, and in how many steps. */
    record Result(int[] tokens, int steps) {}

    /** The emitted tokens of each sequence, and in how many steps of sequences. */
    record Results(int[][] tokens, int steps) {}

    /** Generates after a prompt, at least so many tokens of which so many are returned. */
    static Result run(Session session, int[] prompt, int length) {
        session.prefill(prompt);
        // The logits of the prompt's last token give the first one.
        session.rewind(prompt.length - 1);
        float[][] last = new float[1][];
        session.prefill(new int[] {prompt[prompt.length - 1]}, (first, count) -> last[0] = session.logits(count - 1));
        session.setRoot(token(last[0], 1));
        int steps = 0;
        while (session.length() < prompt.length + length) {
            session.draft();
            int[] selected = session.verify();
            for (int node = 0; node < selected.length; node++) {
                selected[node] = token(session.logits(node), 1);
            }
            session.accept(selected);
            steps++;
        }
        return new Result(
                IntStream.of(session.tokens()).skip(prompt.length).limit(length).toArray(), steps);
    }

    /** Generates after the prompts of a batch's sequences side by side; each leaves when it has so many tokens. */
    static Results run(BatchSession batch, int[][] prompts, int length) {
        for (int s = 0; s < prompts.length; s++) {
            batch.enqueuePrompt(s, prompts[s]);
        }
        int[][] tokens = new int[prompts.length][];
        int steps = 0;
        while (Stream.of(tokens).anyMatch(Objects::isNull)) {
            batch.draft();
            int[][] selected = batch.verify();
            for (int s = 0; s < selected.length; s++) {
                for (int node = 0; selected[s] != null && node < selected[s].length; node++) {
                    selected[s][node] = token(batch.logits(s, node), 1);
                }
            }
            steps += (int)
                    Stream.of(batch.accept(selected)).filter(Objects::nonNull).count();
            for (int s = 0; s < prompts.length; s++) {
                if (tokens[s] == null && batch.length(s) >= prompts[s].length + length) {
                    tokens[s] = IntStream.of(batch.tokens(s))
                            .skip(prompts[s].length)
                            .limit(length)
                            .toArray();
                    batch.pause(s);
                }
            }
        }
        return new Results(tokens, steps);
    }

    /** The token of that rank, 0 being the best, of equal ones the smaller. */
    static int token(float[] logits, int rank) {
        return IntStream.range(0, logits.length)
                .boxed()
                .sorted((a, b) -> Float.compare(logits[b], logits[a]))
                .skip(rank)
                .findFirst()
                .orElseThrow();
    }
}
