package io.hydra4j.benchmarks;

import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.function.ToDoubleFunction;
import org.openjdk.jmh.infra.BenchmarkParams;
import org.openjdk.jmh.results.BenchmarkResult;
import org.openjdk.jmh.results.IterationResult;
import org.openjdk.jmh.results.Result;
import org.openjdk.jmh.results.RunResult;

/**
 * JMH's results as JSON, and what follows from several of them. A score is the median of its iterations; JMH's own mean and error
 * stand beside it.
 */
final class JmhReport {
    private static final String ROWS = "rows";
    private static final String BATCH = "batch";
    private static final String VARIANT = "variant";

    private final List<Map<String, Object>> results = new ArrayList<>();
    private int failed;

    /**
     * Takes results in.
     *
     * @param started benchmarks that were begun: what has no result has failed
     */
    void add(Collection<RunResult> runs, int started) {
        failed += started - runs.size();
        for (RunResult run : runs) {
            BenchmarkParams params = run.getParams();
            Map<String, Object> json = new LinkedHashMap<>();
            json.put("benchmark", simpleName(params.getBenchmark()));
            Map<String, Object> values = new LinkedHashMap<>();
            params.getParamsKeys().forEach(key -> values.put(key, params.getParam(key)));
            json.put("parameters", values);
            json.putAll(figure(run.getPrimaryResult(), iterations(run, IterationResult::getPrimaryResult)));
            Map<String, Object> counters = new LinkedHashMap<>();
            run.getSecondaryResults()
                    .forEach((name, result) -> counters.put(name, figure(result, iterations(run, iteration -> iteration
                            .getSecondaryResults()
                            .get(name)))));
            json.put("counters", counters);
            results.add(json);
        }
    }

    /** Whether nothing was begun. */
    boolean isEmpty() {
        return results.isEmpty() && failed == 0;
    }

    /** Benchmarks without a result. */
    int failed() {
        return failed;
    }

    /** The results and {@code rows_ratio}, {@code batch_ratio} and {@code ratio_to_plain}. */
    Map<String, Object> json() {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("failed", failed);
        json.put("results", results);
        json.put("rows_ratio", rowsRatio());
        json.put("batch_ratio", batchRatio());
        json.put("ratio_to_plain", ratioToPlain());
        return json;
    }

    /** Time of a product of so many rows ÷ that of one row, for each set of the other parameters. */
    private List<Map<String, Object>> rowsRatio() {
        return ratios(of("ProductBenchmark"), ROWS, "ratio_by_rows", result -> (Double) result.get("score"));
    }

    /** Tokens a second of so many sequences together ÷ those of one, for each set of the other parameters. */
    private List<Map<String, Object>> batchRatio() {
        List<Map<String, Object>> ratios = new ArrayList<>();
        for (String benchmark : List.of("BatchDecodeBenchmark", "SyntheticDecodeBenchmark")) {
            ratios.addAll(ratios(of(benchmark), BATCH, "ratio_by_batch", JmhReport::tokensPerSecond));
        }
        return ratios;
    }

    /** A figure by the value of a parameter ÷ that where it is 1. */
    private static List<Map<String, Object>> ratios(
            List<Map<String, Object>> results,
            String parameter,
            String name,
            ToDoubleFunction<Map<String, Object>> figure) {
        Map<Map<String, Object>, Map<String, Object>> tables = new LinkedHashMap<>();
        Map<Map<String, Object>, Double> ones = new LinkedHashMap<>();
        for (Map<String, Object> result : results) {
            Map<String, Object> others = new LinkedHashMap<>(map(result.get("parameters")));
            String value = String.valueOf(others.remove(parameter));
            if (value.equals("1")) {
                ones.put(others, figure.applyAsDouble(result));
            }
            double one = ones.getOrDefault(others, Double.NaN);
            tables.computeIfAbsent(others, key -> new LinkedHashMap<>()).put(value, figure.applyAsDouble(result) / one);
        }
        List<Map<String, Object>> list = new ArrayList<>();
        tables.forEach((others, table) -> {
            Map<String, Object> json = new LinkedHashMap<>(others);
            json.put(name, table);
            list.add(json);
        });
        return list;
    }

    /** Tokens a second of each way of decoding ÷ those of plain decoding, for each model and size of the batch. */
    private List<Map<String, Object>> ratioToPlain() {
        List<Map<String, Object>> ratios = new ArrayList<>();
        for (String benchmark : List.of("DecodeBenchmark", "BatchDecodeBenchmark")) {
            Map<Map<String, Object>, Double> plain = new LinkedHashMap<>();
            for (Map<String, Object> result : of(benchmark)) {
                Map<String, Object> ratio = new LinkedHashMap<>(map(result.get("parameters")));
                Map<String, Object> others = new LinkedHashMap<>(ratio);
                double rate = tokensPerSecond(result);
                if (others.remove(VARIANT).equals("plain")) {
                    plain.put(others, rate);
                }
                ratio.put("tokens_per_second", rate);
                ratio.put("ratio", rate / plain.getOrDefault(others, Double.NaN));
                ratios.add(ratio);
            }
        }
        return ratios;
    }

    private static double tokensPerSecond(Map<String, Object> result) {
        return (Double) map(map(result.get("counters")).get("tokensPerSecond")).get("score");
    }

    private List<Map<String, Object>> of(String benchmark) {
        return results.stream()
                .filter(result -> result.get("benchmark").toString().startsWith(benchmark + '.'))
                .toList();
    }

    @SuppressWarnings("unchecked")
    private static Map<String, Object> map(Object value) {
        return (Map<String, Object>) value;
    }

    /** Samples of one figure, an iteration each. */
    private static Samples iterations(RunResult run, Function<IterationResult, Result<?>> figure) {
        Samples samples = new Samples();
        for (BenchmarkResult fork : run.getBenchmarkResults()) {
            for (IterationResult iteration : fork.getIterationResults()) {
                samples.add(figure.apply(iteration).getScore());
            }
        }
        return samples;
    }

    private static Map<String, Object> figure(Result<?> result, Samples iterations) {
        Map<String, Object> figure = new LinkedHashMap<>();
        figure.put("score", iterations.median());
        figure.put("unit", result.getScoreUnit());
        figure.put("mean", result.getScore());
        figure.put("error", result.getScoreError());
        return figure;
    }

    private static String simpleName(String benchmark) {
        int method = benchmark.lastIndexOf('.');
        return benchmark.substring(benchmark.lastIndexOf('.', method - 1) + 1);
    }
}
