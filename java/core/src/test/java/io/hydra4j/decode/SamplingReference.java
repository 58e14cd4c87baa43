package io.hydra4j.decode;

import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;

/** The rule by which tokens are sampled, written plainly: what {@link Sampling} says, step by step. */
final class SamplingReference {
    private SamplingReference() {}

    /**
     * The token that is selected.
     *
     * @param raw [vocabulary] logits
     * @param text the tokens before the one that is selected
     * @param generated of each of them whether it was generated; the others were given
     * @param position at which the token will stand
     */
    static int select(float[] raw, Sampling options, int[] text, boolean[] generated, int position) {
        float[] logits = penalized(raw, options, text, generated);
        float[] distances = distances(logits, options.temperature() == 0 ? 1 : options.temperature());
        if (options.temperature() == 0) {
            return order(distances).get(0);
        }
        int best = -1;
        float most = Float.NEGATIVE_INFINITY;
        for (int token : kept(distances, options).stream().sorted().toList()) {
            float score = Gumbel.noise(options.seed(), position, token) - distances[token];
            if (score > most) {
                most = score;
                best = token;
            }
        }
        return best;
    }

    /** Logits with bias and penalties. */
    static float[] penalized(float[] raw, Sampling options, int[] text, boolean[] isGenerated) {
        float[] logits = raw.clone();
        options.logitBias().forEach((token, bias) -> logits[token] += bias);
        int[] seen = new int[raw.length];
        int[] generated = new int[raw.length];
        for (int i = 0; i < text.length; i++) {
            seen[text[i]]++;
            generated[text[i]] += isGenerated[i] ? 1 : 0;
        }
        for (int v = 0; v < logits.length; v++) {
            float repetition = options.repetitionPenalty();
            if (seen[v] > 0) {
                logits[v] = logits[v] > 0 ? logits[v] / repetition : logits[v] * repetition;
            }
            if (generated[v] > 0) {
                logits[v] -= Math.fma(options.frequencyPenalty(), generated[v], options.presencePenalty());
            }
        }
        return logits;
    }

    /** How far logits are below the largest, in units of the temperature. */
    static float[] distances(float[] logits, float temperature) {
        float largest = Float.NEGATIVE_INFINITY;
        for (float logit : logits) {
            largest = Math.max(largest, logit);
        }
        float scale = 1 / temperature;
        float[] distances = new float[logits.length];
        for (int v = 0; v < logits.length; v++) {
            distances[v] = (largest - logits[v]) * scale;
        }
        return distances;
    }

    /** The tokens that are drawn from, best first. */
    static List<Integer> kept(float[] distances, Sampling options) {
        List<Integer> kept = order(distances);
        if (options.topK() > 0) {
            kept = kept.subList(0, Math.min(options.topK(), kept.size()));
        }
        if (options.topP() < 1) {
            long all = kept.stream().mapToLong(v -> mass(distances[v])).sum();
            long reached = 0;
            int count = 0;
            while (reached < options.topP() * (double) all) {
                reached += mass(distances[kept.get(count++)]);
            }
            kept = kept.subList(0, count);
        }
        float farthest = options.minP() == 0 ? Float.POSITIVE_INFINITY : (float) -Math.log(options.minP());
        return kept.stream().filter(v -> distances[v] <= farthest).toList();
    }

    private static List<Integer> order(float[] distances) {
        return IntStream.range(0, distances.length)
                .boxed()
                .sorted(Comparator.comparing((Integer v) -> distances[v]))
                .toList();
    }

    private static long mass(float distance) {
        return (long) Math.rint(Gumbel.exp(-distance) * 0x1p31f);
    }
}
