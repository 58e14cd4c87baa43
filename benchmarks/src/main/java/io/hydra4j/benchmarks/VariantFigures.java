package io.hydra4j.benchmarks;

import io.hydra4j.GenerationResult;
import io.hydra4j.decode.SessionStatistics;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What one way of decoding did over all prompts: a sample for each, and sums. */
final class VariantFigures {
    private final Variant variant;
    private final int nodes;
    private final Samples tokensPerSecond = new Samples();
    private final Samples ratios = new Samples();
    private final Samples rho = new Samples();
    private final Samples percentOfStream = new Samples();
    private long tokens;
    private long nanos;
    private long steps;
    private long verified;
    private long draftNanos;
    private long verifyNanos;
    private long acceptNanos;
    private int different;

    /** @param nodes of the tree; 0 where it changes as it goes */
    VariantFigures(Variant variant, int nodes) {
        this.variant = variant;
        this.nodes = nodes;
    }

    /**
     * Takes in a generation and what plain decoding of the same prompt did just before and after it.
     *
     * @param plainNanos mean of the two plain times
     * @param plainStepNanos time of a plain step
     * @param bytes of weights that it read
     * @param streamRate bytes a second
     */
    void add(
            GenerationResult result,
            boolean same,
            double plainNanos,
            double plainStepNanos,
            long bytes,
            double streamRate) {
        SessionStatistics statistics = result.statistics();
        tokensPerSecond.add(result.tokensPerSecond());
        ratios.add(plainNanos / result.decodeNanos());
        rho.add(statistics.nanosPerStep() / plainStepNanos);
        percentOfStream.add(100 * bytes / (result.decodeNanos() / 1e9) / streamRate);
        tokens += result.completionTokens();
        nanos += result.decodeNanos();
        steps += statistics.steps();
        verified += statistics.nodes();
        draftNanos += statistics.draftNanos();
        verifyNanos += statistics.verifyNanos();
        acceptNanos += statistics.acceptNanos();
        different += same ? 0 : 1;
    }

    /** Prompts whose output was not that of plain decoding. */
    int different() {
        return different;
    }

    /** The head of {@link #row}. */
    static String head() {
        return String.format(
                "%-8s %-10s %5s %9s %8s %15s %7s %6s %8s %8s %8s %8s %6s",
                "method",
                "tree",
                "nodes",
                "tokens/s",
                "x plain",
                "(quartiles)",
                "tok/stp",
                "rho",
                "draft us",
                "verif us",
                "accpt us",
                "% stream",
                "output");
    }

    /** A line of the table, of medians over prompts. */
    String row() {
        return String.format(
                "%-8s %-10s %5.1f %9.1f %8.3f %15s %7.3f %6.2f %8.1f %8.1f %8.1f %8.1f %6s",
                Variant.name(variant.method()),
                variant.tree(),
                (double) verified / steps,
                tokensPerSecond.median(),
                ratios.median(),
                String.format("%.3f to %.3f", ratios.quantile(0.25), ratios.quantile(0.75)),
                (double) tokens / steps,
                rho.median(),
                draftNanos / 1e3 / steps,
                verifyNanos / 1e3 / steps,
                acceptNanos / 1e3 / steps,
                percentOfStream.median(),
                different == 0 ? "same" : different + " DIFFER");
    }

    /** All figures, for JSON. */
    Map<String, Object> json() {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("method", Variant.name(variant.method()));
        json.put("tree", variant.tree());
        json.put("tree_nodes", nodes);
        json.put("tokens_per_second", tokensPerSecond.median());
        json.put("tokens_per_second_overall", tokens * 1e9 / nanos);
        json.put("ratio_to_plain", ratios.median());
        json.put("ratio_to_plain_quartiles", List.of(ratios.quantile(0.25), ratios.quantile(0.75)));
        json.put("acceptance_length", (double) tokens / steps);
        json.put("rho", rho.median());
        json.put("nodes_per_step", (double) verified / steps);
        json.put("draft_us", draftNanos / 1e3 / steps);
        json.put("verify_us", verifyNanos / 1e3 / steps);
        json.put("accept_us", acceptNanos / 1e3 / steps);
        json.put("percent_of_stream", percentOfStream.median());
        json.put("outputs_that_differ_from_plain", different);
        json.put("samples_tokens_per_second", tokensPerSecond.values());
        json.put("samples_ratio_to_plain", ratios.values());
        return json;
    }
}
