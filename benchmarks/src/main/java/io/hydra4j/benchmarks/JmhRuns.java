package io.hydra4j.benchmarks;

import io.hydra4j.HydraException;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.NoBenchmarksException;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.format.OutputFormat;
import org.openjdk.jmh.runner.format.OutputFormatFactory;
import org.openjdk.jmh.runner.options.ChainedOptionsBuilder;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;
import org.openjdk.jmh.runner.options.VerboseMode;

/** Runs JMH's benchmarks, once for each model where they need one. */
final class JmhRuns {
    private static final List<String> WITHOUT_MODEL =
            List.of("StreamRateBenchmark", "ProductBenchmark", "AttentionBenchmark");
    private static final String[] QUICK_BATCHES = {"1", "8"};
    private static final List<String> SINGLE_SHOTS =
            List.of("DecodeBenchmark", "BatchDecodeBenchmark", "PrefillBenchmark");
    /** Of all sequences of a batch. */
    private static final List<String> FIXED_TREES = List.of("default", "nodes:8");

    private static final List<String> TREES = List.of("default", Trees.TUNED, Variant.AUTO);

    private final String regex;
    private final List<String> models;
    private final List<String> batches;
    private final boolean quick;

    /**
     * @param regex which benchmarks to run
     * @param models names that {@link ModelSpec#named} knows
     * @param batches sequences to decode side by side; empty for those of the benchmark, or two of them if quick
     * @param quick fewer parameters and shorter iterations: to see that everything runs, and roughly how fast
     */
    JmhRuns(String regex, List<String> models, List<Integer> batches, boolean quick) {
        this.regex = regex;
        this.models = models;
        this.batches = batches.stream().map(String::valueOf).toList();
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
            run(report, options("DecodeBenchmark").param("model", model).param("variant", variants(methods, TREES)));
            run(
                    report,
                    options("BatchDecodeBenchmark")
                            .param("model", model)
                            .param("variant", variants(methods, FIXED_TREES)));
        }
        if (report.isEmpty()) {
            throw new HydraException("no benchmark matches '" + regex
                    + "': choose of StreamRate, Product, Attention, StepParts, Decode, BatchDecode");
        }
        return report;
    }

    private static String[] variants(List<String> methods, List<String> trees) {
        List<String> variants = new ArrayList<>(List.of(Variant.PLAIN.toString()));
        for (String method : methods) {
            trees.forEach(tree -> variants.add(method + "/" + tree));
        }
        return variants.toArray(String[]::new);
    }

    /** Options for one class, of which the pattern may leave something out; with short iterations if they should be quick. */
    static ChainedOptionsBuilder options(String regex, String benchmark, boolean quick) {
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
        if (!SINGLE_SHOTS.contains(benchmark)) {
            options.warmupTime(TimeValue.milliseconds(100)).measurementTime(TimeValue.milliseconds(100));
        }
        return options;
    }

    private ChainedOptionsBuilder options(String benchmark) {
        ChainedOptionsBuilder options = options(regex, benchmark, quick);
        if (benchmark.equals("BatchDecodeBenchmark") && (quick || !batches.isEmpty())) {
            options.param("batch", batches.isEmpty() ? QUICK_BATCHES : batches.toArray(String[]::new));
        }
        if (!quick) {
            return options;
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

    /** Runs what the options ask for, if anything. */
    static void run(JmhReport report, ChainedOptionsBuilder options) throws RunnerException {
        AtomicInteger started = new AtomicInteger();
        try {
            Collection<RunResult> results = new Runner(options.build(), counting(started)).run();
            report.add(results, started.get());
        } catch (NoBenchmarksException e) {
            return; // the pattern asks for others
        }
    }

    /** JMH leaves benchmarks that fail out of its results: this tells how many there should be. */
    private static OutputFormat counting(AtomicInteger started) {
        OutputFormat format = OutputFormatFactory.createFormatInstance(System.out, VerboseMode.NORMAL);
        return (OutputFormat) Proxy.newProxyInstance(
                OutputFormat.class.getClassLoader(),
                new Class<?>[] {OutputFormat.class},
                (proxy, method, arguments) -> {
                    if (method.getName().equals("startBenchmark")) {
                        started.incrementAndGet();
                    }
                    return method.invoke(format, arguments);
                });
    }
}
