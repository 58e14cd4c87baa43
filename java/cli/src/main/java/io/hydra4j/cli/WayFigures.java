package io.hydra4j.cli;

import io.hydra4j.decode.SessionStatistics;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.ToDoubleFunction;

/** What one way of decoding did with all prompts, beside plain decoding. Not thread-safe. */
final class WayFigures {
    private final Way way;
    /** {@code [prompt][run]} */
    private final List<List<Run>> runs = new ArrayList<>();

    private int different;

    WayFigures(Way way, int prompts) {
        this.way = way;
        for (int i = 0; i < prompts; i++) {
            runs.add(new ArrayList<>());
        }
    }

    Way way() {
        return way;
    }

    /** @param isSame whether the output is that of plain decoding */
    void add(int prompt, Run run, boolean isSame) {
        runs.get(prompt).add(run);
        different += isSame ? 0 : 1;
    }

    /** {@code [prompt][run]}; prompts that were left out have none. */
    List<List<Run>> runs() {
        return runs;
    }

    /** Outputs that are not those of plain decoding. */
    int different() {
        return different;
    }

    private List<Run> all() {
        return runs.stream().flatMap(List::stream).toList();
    }

    private double sum(ToDoubleFunction<SessionStatistics> value) {
        return all().stream()
                .mapToDouble(run -> value.applyAsDouble(run.statistics()))
                .sum();
    }

    /** Median over all runs. */
    double median(ToDoubleFunction<Run> value) {
        double[] sorted = all().stream().mapToDouble(value).sorted().toArray();
        int middle = sorted.length / 2;
        return sorted.length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    }

    double tokensPerSecond() {
        return median(Run::tokensPerSecond);
    }

    double acceptanceLength() {
        return sum(SessionStatistics::tokens) / sum(SessionStatistics::steps);
    }

    double nodesPerStep() {
        return sum(SessionStatistics::nodes) / sum(SessionStatistics::steps);
    }

    /** Mean microseconds of a step. */
    double draftMicros() {
        return sum(SessionStatistics::draftNanos) / sum(SessionStatistics::steps) / 1e3;
    }

    double verifyMicros() {
        return sum(SessionStatistics::verifyNanos) / sum(SessionStatistics::steps) / 1e3;
    }

    double acceptMicros() {
        return sum(SessionStatistics::acceptNanos) / sum(SessionStatistics::steps) / 1e3;
    }

    /** Median milliseconds of taking a prompt in. */
    double prefillMillis() {
        return median(run -> run.prefillNanos() / 1e6);
    }

    /** {@code [d]}: share of the steps whose accepted path reached depth d; {@code [0]} is 1. */
    double[] acceptedByDepth() {
        long[] counts = {};
        for (Run run : all()) {
            long[] more = run.statistics().acceptedByDepth();
            counts = Arrays.copyOf(counts, Math.max(counts.length, more.length));
            for (int d = 0; d < more.length; d++) {
                counts[d] += more[d];
            }
        }
        double steps = counts[0];
        return Arrays.stream(counts).mapToDouble(count -> count / steps).toArray();
    }

    /** Times as fast as plain decoding, a token. */
    PairedRatio ratioTo(WayFigures plain) {
        return PairedRatio.of(ratiosTo(plain));
    }

    /** One for each prompt: the geometric mean over its runs of plain decoding's time of a token ÷ that of this. */
    List<Double> ratiosTo(WayFigures plain) {
        return ratios(plain, (mine, other) -> other.nanosPerToken() / mine.nanosPerToken());
    }

    /** The step overhead: time of a step ÷ that of a plain one, geometric mean over prompts. */
    double rho(WayFigures plain) {
        return PairedRatio.of(ratios(
                        plain,
                        (mine, other) -> mine.statistics().nanosPerStep()
                                / other.statistics().nanosPerStep()))
                .mean();
    }

    /** A ratio of two runs of one prompt in one turn. */
    @FunctionalInterface
    private interface Ratio {
        double of(Run mine, Run other);
    }

    private List<Double> ratios(WayFigures plain, Ratio ratio) {
        List<Double> ratios = new ArrayList<>();
        for (int i = 0; i < runs.size(); i++) {
            List<Run> mine = runs.get(i);
            List<Run> others = plain.runs.get(i);
            double logarithms = 0;
            for (int r = 0; r < mine.size(); r++) {
                logarithms += Math.log(ratio.of(mine.get(r), others.get(r)));
            }
            if (!mine.isEmpty()) {
                ratios.add(Math.exp(logarithms / mine.size()));
            }
        }
        return ratios;
    }
}
