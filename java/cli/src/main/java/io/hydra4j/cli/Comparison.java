package io.hydra4j.cli;

import io.hydra4j.GenerationOptions;
import io.hydra4j.HydraException;
import io.hydra4j.HydraModel;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.function.DoubleConsumer;
import java.util.stream.IntStream;

/**
 * Decodes prompts in several ways, for a machine that others use too: prompt by prompt all ways run one after the other, in one order and
 * then in the opposite one, so that a machine that grows slower or faster meanwhile does so to all of them alike, and each is compared with
 * the plain decoding of the same prompt in the same turn.
 *
 * @param figures of each way, plain decoding first
 * @param prompts how many were measured
 * @param tooShort how many were left out, for their output is too short to be timed
 */
record Comparison(List<WayFigures> figures, int prompts, int tooShort) {
    /** Shorter outputs say more about the clock than about decoding. */
    static final int LEAST_TOKENS = 8;

    /** Plain decoding. */
    WayFigures plain() {
        return figures.get(0);
    }

    /** Outputs of exact ways that are not those of plain decoding: always 0, or there is a defect. */
    int defects() {
        return figures.stream()
                .filter(each -> each.way().isExact())
                .mapToInt(WayFigures::different)
                .sum();
    }

    /**
     * Measures.
     *
     * @param ways plain decoding first
     * @param prompts token ids
     * @param runs how often each way decodes each prompt
     * @param limits where outputs end, and how tokens are selected; the seed is the first prompt's, the second has one more, and so on
     * @param progress gets the finished fraction, 0 to 1
     * @throws CancellationException if the limits say so
     * @throws HydraException if no output is long enough
     */
    static Comparison measure(
            HydraModel model,
            List<Way> ways,
            List<int[]> prompts,
            int runs,
            GenerationOptions limits,
            DoubleConsumer progress) {
        List<WayFigures> figures =
                ways.stream().map(way -> new WayFigures(way, prompts.size())).toList();
        // The first time pays for what is done once.
        ways.forEach(way -> decode(model, way, prompts.get(0), limits));
        List<GenerationOptions> own = IntStream.range(0, prompts.size())
                .mapToObj(i -> limits.withSampling(
                        limits.sampling().withSeed(limits.sampling().seed() + i)))
                .toList();
        int[][] expected = new int[prompts.size()][];
        int tooShort = 0;
        for (int turn = 0; turn < runs; turn++) {
            for (int i = 0; i < prompts.size(); i++) {
                if (turn == 0 || expected[i] != null) {
                    expected[i] = measure(model, figures, prompts.get(i), i, (turn + i) % 2 == 1, own.get(i));
                    tooShort += expected[i] == null ? 1 : 0;
                }
                progress.accept(((double) turn * prompts.size() + i + 1) / (runs * prompts.size()));
            }
        }
        if (tooShort == prompts.size()) {
            throw new HydraException("no prompt was continued by " + LEAST_TOKENS
                    + " tokens or more, which timing needs: give other prompts, or raise --tokens");
        }
        return new Comparison(figures, prompts.size() - tooShort, tooShort);
    }

    /** One turn of a prompt; the output of plain decoding, null where it is too short to count. */
    private static int[] measure(
            HydraModel model,
            List<WayFigures> figures,
            int[] prompt,
            int index,
            boolean backwards,
            GenerationOptions limits) {
        List<WayFigures> order = new ArrayList<>(figures);
        if (backwards) {
            Collections.reverse(order);
        }
        List<Run> runs = new ArrayList<>();
        for (WayFigures each : order) {
            runs.add(decode(model, each.way(), prompt, limits));
        }
        int[] expected = runs.get(order.indexOf(figures.get(0))).ids();
        if (expected.length < LEAST_TOKENS) {
            return null;
        }
        for (int w = 0; w < runs.size(); w++) {
            order.get(w)
                    .add(index, runs.get(w), Arrays.equals(expected, runs.get(w).ids()));
        }
        return expected;
    }

    private static Run decode(HydraModel model, Way way, int[] prompt, GenerationOptions limits) {
        Run run = way.decoder().decode(model, prompt, limits);
        if (run.isCancelled()) {
            throw new CancellationException("cancelled");
        }
        return run;
    }
}
