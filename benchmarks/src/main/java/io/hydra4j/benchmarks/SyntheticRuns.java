package io.hydra4j.benchmarks;

import io.hydra4j.HydraException;
import java.util.ArrayList;
import java.util.List;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.ChainedOptionsBuilder;

/** Runs JMH's benchmarks for models of given shapes, whose weights come from a seed. */
final class SyntheticRuns {
    private static final String[] CONTEXTS = {"512", "4096", "16384"};
    private static final String[] PROMPTS = {"512", "2048", "16384"};
    private static final String[] PREFIXES = {"512", "2048", "8192", "32768"};
    private static final String QUICK_CONTEXT = "512";

    private final String regex;
    private final List<Shape> shapes;
    private final List<String> contexts;
    private final List<String> batches;
    private final List<String> lmHeads;
    private final boolean quick;

    /**
     * @param regex which benchmarks to run
     * @param shapes names that {@link Shape#named} knows
     * @param contexts verified positions to measure after; empty for the parameters of each benchmark, or 512 if
     *     quick
     * @param batches sequences to decode side by side
     * @param lmHeads LM heads of draft heads, as {@link LmHead#parse} reads them
     * @param quick fewer parameters and shorter iterations: to see that everything runs
     */
    SyntheticRuns(
            String regex,
            List<String> shapes,
            List<Integer> contexts,
            List<Integer> batches,
            List<String> lmHeads,
            boolean quick) {
        // Not for the forks to find out.
        lmHeads.forEach(LmHead::parse);
        for (int context : contexts) {
            if (context < 1) {
                throw new HydraException("a context of " + context + " positions: must be at least 1");
            }
        }
        this.regex = regex;
        this.shapes = shapes.stream().map(Shape::named).toList();
        this.contexts = contexts.stream().map(String::valueOf).toList();
        this.batches = batches.stream().map(String::valueOf).toList();
        this.lmHeads = lmHeads;
        this.quick = quick;
    }

    /** @throws HydraException if nothing was to be run */
    JmhReport run() throws RunnerException {
        JmhReport report = new JmhReport();
        for (Shape shape : shapes) {
            JmhRuns.run(
                    report,
                    model("SyntheticDecodeBenchmark", shape)
                            .param("variant", variants())
                            .param("context", contexts(CONTEXTS))
                            .param("batch", batches.toArray(String[]::new)));
            JmhRuns.run(report, prefill(shape));
            JmhRuns.run(report, draftLevel(shape));
            JmhRuns.run(report, product(shape));
            JmhRuns.run(report, attention(shape));
        }
        if (report.isEmpty()) {
            throw new HydraException("no benchmark matches '" + regex
                    + "': choose of SyntheticDecode, Prefill, DraftLevel, Product, Attention");
        }
        return report;
    }

    private ChainedOptionsBuilder options(String benchmark) {
        return JmhRuns.options(regex, benchmark, quick);
    }

    private ChainedOptionsBuilder model(String benchmark, Shape shape) {
        return options(benchmark)
                .param("shape", shape.name())
                .param("type", Settings.syntheticWeights().name());
    }

    private ChainedOptionsBuilder prefill(Shape shape) {
        ChainedOptionsBuilder options = model("PrefillBenchmark", shape).param("context", contexts(PROMPTS));
        return quick ? options.param("chunk", "64", "512") : options;
    }

    private ChainedOptionsBuilder draftLevel(Shape shape) {
        ChainedOptionsBuilder options = model("DraftLevelBenchmark", shape);
        return quick ? options.param("draftVocabulary", "0") : options;
    }

    private ChainedOptionsBuilder product(Shape shape) {
        ChainedOptionsBuilder options = options("ProductBenchmark")
                .param("shape", shape.products().toArray(String[]::new))
                .param("megabytes", quick ? "20" : "200");
        if (quick || Settings.weights() != null) {
            options.param("type", Settings.syntheticWeights().name());
        }
        return quick ? options.param("rows", "1", "64") : options;
    }

    private ChainedOptionsBuilder attention(Shape shape) {
        return options("AttentionBenchmark")
                .param("heads", shape.heads() + "/" + shape.kvHeads())
                .param("headSize", Integer.toString(shape.headSize()))
                .param("prefix", contexts(PREFIXES))
                .param("batch", batches.toArray(String[]::new))
                .param("nodes", quick ? new String[] {"1", "64"} : new String[] {"1", "16", "64"});
    }

    private String[] variants() {
        List<String> variants = new ArrayList<>(List.of(Variant.PLAIN.toString()));
        for (Method method : List.of(Method.MEDUSA, Method.HYDRA, Method.HYDRA_PLUS_PLUS)) {
            lmHeads.forEach(lmHead -> variants.add(Variant.name(method) + "/" + lmHead));
        }
        return variants.toArray(String[]::new);
    }

    private String[] contexts(String... all) {
        if (!contexts.isEmpty()) {
            return contexts.toArray(String[]::new);
        }
        return quick ? new String[] {QUICK_CONTEXT} : all;
    }
}
