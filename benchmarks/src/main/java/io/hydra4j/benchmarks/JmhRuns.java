package io.hydra4j.benchmarks;

import io.hydra4j.HydraException;
import java.util.ArrayList;
import java.util.List;
import org.openjdk.jmh.runner.NoBenchmarksException;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.ChainedOptionsBuilder;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;

/** Runs JMH's benchmarks, once for each model where they need one. */
final class JmhRuns {
    private static final List<String> WITHOUT_MODEL =
            List.of("StreamRateBenchmark", "ProductBenchmark", "AttentionBenchmark");
    private static final List<String> TREES = List.of("default", Trees.TUNED, Variant.AUTO);

    private final String regex;
    private final List<String> models;
    private final boolean quick;

    /**
     * @param regex which benchmarks to run
     * @param models names that {@link ModelSpec#named} knows
     * @param quick fewer parameters and shorter iterations: to see that everything runs, and roughly how fast
     */
    JmhRuns(String regex, List<String> models, boolean quick) {
        this.regex = regex;
        this.models = models;
        this.quick = quick;
    }

    /** @throws HydraException if nothing was to be run */
    JmhReport run() throws RunnerException {
        JmhReport report = new JmhReport();
        for (String benchmark : WITHOUT_MODEL) {
            run(report, options(benchmark));
        }
        for (String model : models) {
            List<String> methods = new ArrayList<>();
            ModelSpec.named(model).heads().keySet().forEach(method -> methods.add(Variant.name(method)));
            if (!methods.isEmpty()) {
                run(
                        report,
                        options("StepPartsBenchmark")
                                .param("model", model)
                                .param("method", methods.toArray(String[]::new)));
            }
            run(report, options("DecodeBenchmark").param("model", model).param("variant", variants(methods)));
        }
        if (report.isEmpty()) {
            throw new HydraException("no benchmark matches '" + regex
                    + "': choose of StreamRate, Product, Attention, StepParts, " + "Decode");
        }
        return report;
    }

    private static String[] variants(List<String> methods) {
        List<String> variants = new ArrayList<>(List.of(Variant.PLAIN.toString()));
        for (String method : methods) {
            TREES.forEach(tree -> variants.add(method + "/" + tree));
        }
        return variants.toArray(String[]::new);
    }

    private ChainedOptionsBuilder options(String benchmark) {
        // Both the class and what the caller asked for: a look-ahead holds the second.
        ChainedOptionsBuilder options = new OptionsBuilder()
                .include("^(?=.*(?:" + regex + ")).*\\." + benchmark + "\\.")
                .addProfiler(Counters.class)
                .jvmArgsAppend(System.getProperties().stringPropertyNames().stream()
                        .filter(name -> name.startsWith("hydra4j."))
                        .map(name -> "-D" + name + "=" + System.getProperty(name))
                        .toArray(String[]::new));
        if (!quick) {
            return options;
        }
        options.warmupIterations(1).measurementIterations(3);
        if (!benchmark.equals("DecodeBenchmark")) {
            options.warmupTime(TimeValue.milliseconds(100)).measurementTime(TimeValue.milliseconds(100));
        }
        if (benchmark.equals("ProductBenchmark")) {
            options.param("shape", "1024x384")
                    .param("type", "Q8_0", "Q4_1", "BF16")
                    .param("megabytes", "20")
                    .param("rows", "1", "8", "64");
        } else if (benchmark.equals("AttentionBenchmark")) {
            options.param("heads", "9/3").param("prefix", "256", "2048").param("nodes", "1", "16");
        } else if (benchmark.equals("StepPartsBenchmark")) {
            options.param("nodes", "1", "8", "64");
        }
        return options;
    }

    private static void run(JmhReport report, ChainedOptionsBuilder options) throws RunnerException {
        try {
            report.add(new Runner(options.build()).run());
        } catch (NoBenchmarksException e) {
            return; // the pattern asks for others
        }
    }
}
