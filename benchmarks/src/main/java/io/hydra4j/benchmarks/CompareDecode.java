package io.hydra4j.benchmarks;

import io.hydra4j.GenerationOptions;
import io.hydra4j.GenerationResult;
import io.hydra4j.HydraException;
import io.hydra4j.HydraModel;
import io.hydra4j.decode.Tree;
import io.hydra4j.runtime.Backend;
import io.hydra4j.runtime.Resources;
import java.io.PrintStream;
import java.lang.management.CompilationMXBean;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/**
 * Compares ways of decoding on a machine that others use too. For each prompt and kind of heads, plain decoding runs first, then
 * every tree, then plain decoding again, all with the same weights in the same process; a tree's ratio for that prompt is that to
 * the mean of the two plain times around it. The figures are medians over prompts, so that what a neighbour does for a
 * second touches a pair and not the result. The stream rate is measured between the prompts.
 */
final class CompareDecode {
    private static final int TUNING_TOKENS = 64;
    private static final int STREAM_REPEATS = 3;
    /** The share of a round's time that the compilers may take for the JVM to be warm, and nanoseconds after which that is not awaited. */
    private static final double MOST_COMPILING = 0.02;

    private static final long LONGEST_WARM_UP = TimeUnit.SECONDS.toNanos(30);

    /** Shorter outputs say more about the clock than about decoding. */
    private static final int LEAST_TOKENS = 16;

    /** Fewer give no median worth the name. */
    static final int LEAST_PROMPTS = 4;

    private final CompareOptions options;
    private final List<Group> groups = new ArrayList<>();
    private final VariantFigures plain = new VariantFigures(Variant.PLAIN, 1);
    private final Samples streamRates = new Samples();
    private Prompts prompts;
    private RowCosts rowCosts;
    private Backend backend;
    private int measured;

    /** A kind of heads, its model, and its trees. */
    private record Group(HydraModel model, List<Candidate> candidates) {}

    /** A way of decoding and what it did. */
    private record Candidate(Variant variant, GenerationOptions options, VariantFigures figures) {}

    CompareDecode(CompareOptions options) {
        this.options = options;
    }

    /** Measures; {@link #print} and {@link #json} then have the figures. Progress goes to the stream given. */
    void run(PrintStream progress) {
        try (Resources resources = new Resources()) {
            backend = resources.own(Settings.openBackend());
            for (Method method : options.methods().isEmpty() ? List.of(Method.PLAIN) : options.methods()) {
                HydraModel model = resources.own(options.spec().open(method));
                if (prompts == null) {
                    prompts = Prompts.read(options.spec().prompts(), model, options.prompts(), options.promptTokens());
                }
                progress.println("preparing " + Variant.name(method));
                groups.add(new Group(model, method == Method.PLAIN ? List.of() : candidates(model, method)));
            }
            warmUp();
            long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(options.seconds());
            for (int i = 0; i < prompts.measured().size(); i++) {
                if (measured >= LEAST_PROMPTS && System.nanoTime() > end) {
                    break;
                }
                progress.print(
                        "\rprompt " + (i + 1) + " of " + prompts.measured().size());
                progress.flush();
                boolean longEnough = true;
                for (Group group : groups) {
                    longEnough &= measure(group, prompts.measured().get(i), i % 2 == 1);
                }
                measured += longEnough ? 1 : 0;
            }
            progress.println();
            if (measured == 0) {
                throw new HydraException("no prompt was continued by " + LEAST_TOKENS
                        + " tokens or more: raise --max-tokens, or give other prompts");
            }
            Group last = groups.get(groups.size() - 1);
            rowCosts = RowCosts.measure(last.model(), prompts.calibration().get(0));
        }
    }

    private List<Candidate> candidates(HydraModel model, Method method) {
        List<Candidate> candidates = new ArrayList<>();
        for (String name : options.trees()) {
            Variant variant = new Variant(method, name);
            Tree tree = Trees.resolve(name, model, prompts.calibration(), TUNING_TOKENS);
            candidates.add(new Candidate(
                    variant,
                    variant.options(tree, options.maxTokens(), options.temperature()),
                    new VariantFigures(variant, tree == null ? 0 : tree.nodes())));
        }
        return candidates;
    }

    private GenerationResult plain(HydraModel model, int[] prompt) {
        return model.generate(prompt, Variant.PLAIN.options(Tree.ROOT, options.maxTokens(), options.temperature()));
    }

    /** Decodes prompts that are not measured until the JVM compiles hardly anything any more, which would take processors from what is. */
    private void warmUp() {
        CompilationMXBean compiler = ManagementFactory.getCompilationMXBean();
        boolean isTold = compiler != null && compiler.isCompilationTimeMonitoringSupported();
        long began = System.nanoTime();
        boolean isWarm = false;
        while (!isWarm) {
            long round = System.nanoTime();
            long compiled = isTold ? compiler.getTotalCompilationTime() : 0;
            groups.forEach(this::warmUp);
            long now = System.nanoTime();
            long nanos = isTold ? TimeUnit.MILLISECONDS.toNanos(compiler.getTotalCompilationTime() - compiled) : 0;
            isWarm = nanos <= MOST_COMPILING * (now - round) || now - began > LONGEST_WARM_UP;
        }
    }

    private void warmUp(Group group) {
        for (int[] prompt : prompts.calibration()) {
            plain(group.model(), prompt);
            group.candidates().forEach(candidate -> group.model().generate(prompt, candidate.options()));
        }
    }

    /** @return whether the output was long enough to count */
    private boolean measure(Group group, int[] prompt, boolean backwards) {
        HydraModel model = group.model();
        double streamRate = backend.streamRate(model.info().bytesPerPass(), STREAM_REPEATS);
        List<Candidate> order = new ArrayList<>(group.candidates());
        if (backwards) {
            Collections.reverse(order);
        }
        GenerationResult before = plain(model, prompt);
        if (before.completionTokens() < LEAST_TOKENS) {
            return false;
        }
        List<GenerationResult> results = new ArrayList<>();
        for (Candidate candidate : order) {
            results.add(model.generate(prompt, candidate.options()));
        }
        GenerationResult after = plain(model, prompt);

        streamRates.add(streamRate);
        double plainNanos = (before.decodeNanos() + after.decodeNanos()) / 2.0;
        double plainStepNanos =
                (before.statistics().nanosPerStep() + after.statistics().nanosPerStep()) / 2;
        for (GenerationResult result : List.of(before, after)) {
            boolean same = Arrays.equals(result.ids(), before.ids());
            long bytes = Variant.bytesRead(model, result.statistics());
            plain.add(result, same, plainNanos, plainStepNanos, bytes, streamRate);
        }
        for (int i = 0; i < order.size(); i++) {
            GenerationResult result = results.get(i);
            boolean same = Arrays.equals(result.ids(), before.ids());
            long bytes = Variant.bytesRead(model, result.statistics());
            order.get(i).figures().add(result, same, plainNanos, plainStepNanos, bytes, streamRate);
        }
        return true;
    }

    /** All figures in the order of the table. */
    private List<VariantFigures> figures() {
        List<VariantFigures> figures = new ArrayList<>(List.of(plain));
        groups.forEach(group -> group.candidates().forEach(candidate -> figures.add(candidate.figures())));
        return figures;
    }

    /** Whether every output was that of plain decoding. */
    boolean same() {
        return figures().stream().allMatch(figures -> figures.different() == 0);
    }

    void print(PrintStream out) {
        out.printf(
                "%s: %d prompts, up to %d tokens each; stream rate %.1f GB/s over the model's bytes%n",
                options.model(), measured, options.maxTokens(), streamRates.median() / 1e9);
        out.println(VariantFigures.head());
        figures().forEach(figures -> out.println(figures.row()));
        out.println();
        rowCosts.print(out);
    }

    Map<String, Object> json() {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("model", options.model());
        json.put("model_file", options.spec().model().getFileName().toString());
        json.put("prompts", measured);
        json.put("max_tokens", options.maxTokens());
        json.put("temperature", options.temperature());
        json.put("stream_gigabytes_per_second", streamRates.median() / 1e9);
        json.put("variants", figures().stream().map(VariantFigures::json).toList());
        json.put("rows", rowCosts.json());
        return json;
    }
}
