package io.hydra4j.runtime;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** A sequence whose logits are the same at each of its positions. */
class SamplingTest {
    private static final float[] LOGITS = {1, 3, 2, 2.5f, -1};

    private final Backend backend = Backend.openCpu(2);
    private final Batch batch = Batch.create(backend, 1, 4);
    private final PassRows rows = PassRows.create(batch, 1);
    private final Buffer logits = Buffer.floats(backend, LOGITS.length);
    private final Buffer selection = Buffer.ints(backend, 1);
    private final Buffer logProbabilities = Buffer.floats(backend, 2);
    private final TopK best = TopK.create(backend, 2, 1);
    private final Sampling sampling = Sampling.create(batch, LOGITS.length, 0);
    private final Program program = Program.create(backend);

    @AfterEach
    void close() {
        program.close();
        sampling.close();
        best.close();
        logProbabilities.close();
        selection.close();
        logits.close();
        rows.close();
        batch.close();
        backend.close();
    }

    private static Sampling.Options options(float temperature, int topK, long seed, Map<Integer, Float> bias) {
        return new Sampling.Options(temperature, topK, 1, 0, 1, 0, 0, seed, bias);
    }

    private void record() {
        logits.write(0, LOGITS);
        program.rank(rows, logits, LOGITS.length, null, null, best);
        program.prepareSelection(rows, sampling);
        program.select(rows, best, logits, LOGITS.length, sampling, selection, logProbabilities);
        program.commit(null, rows, selection, null, null, 0, null, null, false, sampling);
    }

    /** The token that follows one that is appended. */
    private int step(int token) {
        rows.setChain(0, new int[] {token});
        program.run();
        return batch.root(0);
    }

    @Test
    void greedySequencesTakeTheBestToken() {
        record();
        assertEquals(1, step(0));
        float[] found = new float[2];
        logProbabilities.read(0, found);
        assertEquals(3, found[0]);
        double sum = 0;
        for (float logit : LOGITS) {
            sum += Math.exp(logit);
        }
        assertEquals(Math.log(sum), found[1], 1e-6);
        assertEquals(Math.log(Math.exp(3) / sum), best.value(0, 0), 1e-6);
    }

    @Test
    void optionsReachTheSelection() {
        record();
        sampling.set(0, options(0, 0, 0, Map.of(4, 9f, 1, -5f)));
        assertEquals(4, step(0));
        sampling.set(Sampling.ALL, options(0, 0, 0, new HashMap<>(Map.of(1, Float.NEGATIVE_INFINITY))));
        assertEquals(3, step(0));
        sampling.set(0, new Sampling.Options(0, 0, 1, 0, 10, 0, 0, 0, Map.of()));
        assertEquals(3, step(1), "token 1 has been in the text, and 3 / 10 is less than 2.5");
        sampling.set(0, Sampling.Options.GREEDY);
        assertEquals(1, step(0));
    }

    @Test
    void seedsMakeDraws() {
        record();
        var tokens = new TreeSet<Integer>();
        for (int seed = 0; seed < 60; seed++) {
            batch.rewind(0, 0, -1);
            sampling.set(0, options(1, 3, seed, Map.of()));
            int first = step(0);
            batch.rewind(0, 0, -1);
            assertEquals(first, step(0), "the same seed at the same position");
            tokens.add(first);
        }
        assertEquals(new TreeSet<>(List.of(1, 2, 3)), tokens, "the three best ones");
    }

    @Test
    void whatIsOutOfRangeIsRefused() {
        var refused = assertThrows(NativeException.class, () -> sampling.set(0, options(-1, 0, 0, Map.of())));
        assertTrue(refused.getMessage().contains("temperature is -1, must be at least 0"), refused.getMessage());
        assertThrows(NativeException.class, () -> sampling.set(0, options(1, 0, 0, Map.of(5, 1f))));
        assertThrows(NativeException.class, () -> sampling.set(1, Sampling.Options.GREEDY));
        assertThrows(NativeException.class, () -> Sampling.create(batch, 0, 0));
        sampling.close();
        assertThrows(IllegalStateException.class, () -> sampling.set(0, Sampling.Options.GREEDY));
    }

    @Test
    void optionsKeepTheirBias() {
        var bias = new HashMap<>(Map.of(1, 2f));
        var options = options(1, 0, 0, bias);
        bias.put(2, 3f);
        assertEquals(Map.of(1, 2f), options.bias());
        assertNotEquals(options, options(1, 0, 0, bias));
    }
}
