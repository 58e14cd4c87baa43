package io.hydra4j.decode;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.hydra4j.golden.Logits;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;

/** A text that a session samples, with what the reference needs to say which token it must be. */
final class SampledText {
    private int[] tokens = new int[256];
    private boolean[] generated = new boolean[256];
    private int length;

    /** Every option in turn, with what it needs beside it to matter; and all of them together. */
    static Map<String, Sampling> options() {
        Sampling drawn = Sampling.of(1, 11);
        Map<String, Sampling> options = new LinkedHashMap<>();
        options.put("temperature 1", drawn);
        options.put("temperature 0.7", drawn.withTemperature(0.7f));
        options.put("temperature 2", drawn.withTemperature(2));
        options.put("top-k", drawn.withTopK(5));
        options.put("top-p", drawn.withTopP(0.8f));
        options.put("min-p", drawn.withMinP(0.1f));
        options.put("repetition penalty", drawn.withRepetitionPenalty(1.3f));
        options.put("presence penalty", drawn.withPresencePenalty(1.5f));
        options.put("frequency penalty", drawn.withFrequencyPenalty(0.7f));
        options.put("logit bias", drawn.withLogitBias(Map.of((int) ' ', -3f, (int) 'e', 2f, 257, -100f)));
        options.put(
                "greedy with penalties",
                Sampling.GREEDY.withRepetitionPenalty(1.2f).withFrequencyPenalty(0.5f));
        options.put("greedy with bias", Sampling.GREEDY.withLogitBias(Map.of((int) ' ', -2f)));
        options.put("greedy", Sampling.GREEDY);
        options.put(
                "all",
                Sampling.of(0.9f, -5)
                        .withTopK(40)
                        .withTopP(0.95f)
                        .withMinP(0.02f)
                        .withRepetitionPenalty(1.1f)
                        .withPresencePenalty(0.2f)
                        .withFrequencyPenalty(0.1f)
                        .withLogitBias(Map.of((int) '\n', 1.5f)));
        return options;
    }

    /** Takes tokens in, and returns the logits after them. */
    float[] prefill(Session session, int... ids) {
        float[][] logits = Logits.prefill(session, ids);
        for (int id : ids) {
            append(id, false);
        }
        return logits[ids.length - 1];
    }

    /**
     * Lets a session that keeps logits emit tokens, one a step, each of which must be the reference's.
     *
     * @param logits after the text so far, by which the root was selected
     */
    int[] generate(Session session, float[] logits, int count) {
        int[] emitted = new int[count];
        float[] last = logits;
        for (int i = 0; i < count; i++) {
            int expected = SamplingReference.select(
                    last, session.sampling(), Arrays.copyOf(tokens, length), Arrays.copyOf(generated, length), length);
            emitted[i] = session.step().tokens()[0];
            assertEquals(expected, emitted[i], "token " + i + " with " + session.sampling());
            append(emitted[i], true);
            last = session.logits(0);
        }
        return emitted;
    }

    private void append(int token, boolean isGenerated) {
        if (length == tokens.length) {
            tokens = Arrays.copyOf(tokens, 2 * length);
            generated = Arrays.copyOf(generated, 2 * length);
        }
        tokens[length] = token;
        generated[length++] = isGenerated;
    }

    void rewind(Session session, int to) {
        session.rewind(to);
        length = to;
    }

    /** What plain decoding samples after a prompt, which is the reference's. */
    static int[] plain(Session session, int[] prompt, Sampling options, int count) {
        session.rewind(0);
        session.setSampling(options);
        SampledText text = new SampledText();
        return text.generate(session, text.prefill(session, prompt), count);
    }

    /** What a session samples after a prompt, whatever its tree. */
    static int[] of(Session session, int[] prompt, Sampling options, int count) {
        session.rewind(0);
        session.setSampling(options);
        session.prefill(prompt);
        while (session.length() < prompt.length + count) {
            session.step();
        }
        return Arrays.copyOfRange(session.tokens(), prompt.length, prompt.length + count);
    }
}
