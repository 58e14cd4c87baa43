package io.hydra4j.benchmarks;

import io.hydra4j.HydraException;
import io.hydra4j.runtime.Backend;
import io.hydra4j.runtime.KvType;
import io.hydra4j.runtime.WeightType;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.function.Function;
import org.openjdk.jmh.runner.RunnerException;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** The command line of the benchmarks: JMH's, or with {@code --compare} all ways of decoding in turn. */
@Command(
        name = "hydra4j-benchmarks",
        mixinStandardHelpOptions = true,
        sortOptions = false,
        description = "Measures Hydra4J and writes JSON.")
public final class Main implements Callable<Integer> {
    private static final List<Long> STREAM_BYTES = List.of(20_000_000L, 100_000_000L);
    private static final int STREAM_REPEATS = 20;

    @Parameters(
            arity = "0..1",
            paramLabel = "REGEX",
            defaultValue = ".*",
            description = "which JMH benchmarks to run; all if left out")
    private String regex;

    @Option(names = "--quick", description = "few parameters and short iterations")
    private boolean quick;

    @Option(
            names = "--out",
            paramLabel = "FILE",
            defaultValue = "target/hydra4j-benchmarks.json",
            description = "where the results go; ${DEFAULT-VALUE} if left out")
    private Path out;

    @Option(
            names = "--shape",
            paramLabel = "NAME,..",
            split = ",",
            description = "JMH on models of these shapes with weights from a seed: 19m, 135m, 1b, 7b, 8b")
    private List<String> shapes = new ArrayList<>();

    @Option(
            names = "--contexts",
            paramLabel = "N,..",
            split = ",",
            description =
                    "verified positions to measure after; 512 to 16384, 32768 for attention, if left out (--shape)")
    private List<Integer> contexts = new ArrayList<>();

    @Option(
            names = "--batches",
            paramLabel = "N,..",
            split = ",",
            description =
                    "sequences that are decoded side by side; 1 to 32, with --shape 1, if left out (JMH); 1, 4, 16"
                            + " with --batched")
    private List<Integer> batches = new ArrayList<>();

    @Option(
            names = "--lm-heads",
            paramLabel = "HEAD,..",
            split = ",",
            defaultValue = "base",
            description = "LM heads of the draft heads: base, private, base:N, private:N; ${DEFAULT-VALUE} if left out"
                    + " (--shape)")
    private List<String> lmHeads;

    @Option(
            names = "--acceptance",
            paramLabel = "METHOD:TOKENS,..",
            description = "tokens a step that real heads were seen to emit; the published ones of Vicuna-7B if left out"
                    + " (--shape)")
    private String acceptance;

    @Option(
            names = "--compare",
            description = "no JMH: plain decoding and all methods and trees in turn, prompt by prompt")
    private boolean compare;

    @Option(
            names = "--sampled",
            description = "no JMH: tokens a step of sampled text, with heads that guess by the noise of the sample and"
                    + " without; takes the options of --compare")
    private boolean sampled;

    @Option(
            names = "--loss",
            paramLabel = "TYPE,..",
            split = ",",
            description =
                    "no JMH: next-token loss on the prompts with the file's weights and with these converted to each"
                            + " of the types; takes the options of --compare")
    private List<WeightType> lossTypes = new ArrayList<>();

    @Option(
            names = "--along",
            paramLabel = "FILE",
            description =
                    "no JMH: tokens a step that heads would emit along given continuations, a JSON list of objects"
                            + " with prompt_ids and greedy_ids; takes --model and --heads")
    private Path along;

    @Option(
            names = "--batched",
            description = "no JMH: sequences side by side, plain and with trees that are chosen step by step, in turn;"
                    + " takes the options of --compare")
    private boolean batched;

    @Option(
            names = "--model",
            paramLabel = "NAME,..",
            split = ",",
            defaultValue = ModelSpec.DEFAULT,
            description =
                    "default (the embedded one), javalm, smollm2 (both of -Dhydra4j.shared=FOLDER); with --compare"
                            + " also a path")
    private List<String> models;

    @Option(
            names = "--heads",
            paramLabel = "PATH,..",
            split = ",",
            description = "draft heads, one of a kind, instead of those that go with the name (--compare)")
    private List<Path> heads = new ArrayList<>();

    @Option(
            names = "--method-list",
            paramLabel = "METHOD,..",
            split = ",",
            description =
                    "kinds of heads to compare, of medusa, hydra, hydra++; all that there are if left out (--compare)")
    private List<String> methods = new ArrayList<>();

    @Option(
            names = "--trees",
            paramLabel = "TREE,..",
            split = ",",
            defaultValue = "default,tuned,auto",
            description =
                    "default, tuned, auto, auto-heads, auto-lookup, nodes:N, chain:N, FILE; ${DEFAULT-VALUE} if left out"
                            + " (--compare)")
    private List<String> trees;

    @Option(
            names = "--prompts-file",
            paramLabel = "FILE",
            description = "JSON lines with text, turns or ids, .xz or not, instead of those that go with the model"
                    + " (--compare)")
    private Path promptsFile;

    @Option(
            names = "--prompts",
            paramLabel = "N",
            defaultValue = "24",
            description = "prompts to measure; ${DEFAULT-VALUE} if left out (--compare)")
    private int prompts;

    @Option(
            names = "--prompt-tokens",
            paramLabel = "N",
            defaultValue = "256",
            description = "tokens of a prompt that is cut from a text; ${DEFAULT-VALUE} if left out (--compare)")
    private int promptTokens;

    @Option(
            names = "--max-tokens",
            paramLabel = "N",
            defaultValue = "128",
            description = "most tokens after a prompt; ${DEFAULT-VALUE} if left out (--compare)")
    private int maxTokens;

    @Option(
            names = "--temperature",
            paramLabel = "T",
            defaultValue = "0",
            description = "of sampled text; 0, which is greedy, if left out (--compare)")
    private float temperature;

    @Option(
            names = "--seconds",
            paramLabel = "N",
            defaultValue = "90",
            description = "begin no prompt after so long; ${DEFAULT-VALUE} a model if left out (--compare)")
    private int seconds;

    @Option(
            names = "--backend",
            paramLabel = "NAME",
            description = "what computes: auto, cpu or cuda; auto if left out")
    private String backend;

    @Option(names = "--threads", paramLabel = "N", description = "threads that compute; all processors if left out")
    private Integer threads;

    @Option(
            names = "--weights",
            paramLabel = "TYPE",
            description =
                    "convert the base on load: f32, bf16, q8_0, ...; with --shape what it is made in, bf16 if left out")
    private String weights;

    @Option(names = "--head-weights", paramLabel = "TYPE", description = "convert the heads on load")
    private String headWeights;

    @Option(
            names = "--kv",
            paramLabel = "TYPE",
            description = "how keys and values are kept: auto, f32, or with CUDA f16; auto if left out")
    private KvType kv;

    public static void main(String[] args) {
        CommandLine line = new CommandLine(new Main()).setCaseInsensitiveEnumValuesAllowed(true);
        line.setExecutionExceptionHandler((exception, command, result) -> {
            if (!(exception instanceof HydraException)) {
                throw exception;
            }
            command.getErr().println("error: " + exception.getMessage());
            return 1;
        });
        System.exit(line.execute(args));
    }

    @Override
    public Integer call() throws RunnerException {
        if (compare && !shapes.isEmpty()) {
            throw new HydraException(
                    "--compare decodes real texts, which models of --shape cannot: give one of the two");
        }
        set(Settings.BACKEND, backend);
        set(Settings.THREADS, threads);
        set(Settings.WEIGHTS, weights);
        set(Settings.HEAD_WEIGHTS, headWeights);
        set(Settings.KV, kv);
        set(Acceptance.PROPERTY, acceptance);
        Map<String, Object> machine = Machine.describe();
        System.out.println(Machine.line(machine));
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("machine", machine);
        if (!sampled && !batched && along == null && lossTypes.isEmpty()) {
            json.put("stream_rates", streamRates());
        }
        boolean good = true;
        if (!lossTypes.isEmpty()) {
            json.put("weight_loss", figures(options -> new WeightLoss(options, lossTypes)));
        } else if (along != null) {
            json.put("given_acceptance", figures(options -> new GivenAcceptance(options.spec(), along)));
        } else if (sampled) {
            json.put("sampled_acceptance", figures(SampledAcceptance::new));
        } else if (batched) {
            List<Map<String, Object>> figures = new ArrayList<>();
            for (String model : models) {
                List<Integer> sizes = batches.isEmpty() ? List.of(1, 4, 16) : batches;
                BatchComparison comparison = new BatchComparison(compareOptions(model), sizes);
                comparison.run(System.err);
                comparison.print(System.out);
                figures.add(comparison.json());
                good &= comparison.same();
            }
            json.put("batches", figures);
        } else if (compare) {
            List<Map<String, Object>> comparisons = new ArrayList<>();
            for (String model : models) {
                CompareDecode comparison = new CompareDecode(compareOptions(model));
                comparison.run(System.err);
                comparison.print(System.out);
                comparisons.add(comparison.json());
                good &= comparison.same();
            }
            json.put("comparisons", comparisons);
        } else {
            JmhReport report = runJmh(json);
            json.putAll(report.json());
            good = report.failed() == 0;
            if (!good) {
                System.err.println("error: " + report.failed() + " benchmarks failed, as said above");
            }
        }
        Json.write(out, json);
        System.out.println("written: " + out);
        return good ? 0 : 1;
    }

    private List<Map<String, Object>> figures(Function<CompareOptions, Figures> of) {
        List<Map<String, Object>> rows = new ArrayList<>();
        for (String model : models) {
            Figures figures = of.apply(compareOptions(model));
            figures.run(System.err);
            figures.print(System.out);
            rows.addAll(figures.json());
        }
        return rows;
    }

    private JmhReport runJmh(Map<String, Object> json) throws RunnerException {
        if (shapes.isEmpty()) {
            return new JmhRuns(regex, models, batches, quick).run();
        }
        json.put("acceptance", Acceptance.json());
        json.put("head_weights", Settings.syntheticHeadWeights());
        List<Integer> sizes = batches.isEmpty() ? List.of(1) : batches;
        return new SyntheticRuns(regex, shapes, contexts, sizes, lmHeads, quick).run();
    }

    private CompareOptions compareOptions(String model) {
        ModelSpec named = ModelSpec.named(model);
        Path file = promptsFile == null ? named.prompts() : promptsFile;
        ModelSpec spec = heads.isEmpty()
                ? new ModelSpec(named.model(), named.heads(), file)
                : ModelSpec.of(named.model(), heads, file);
        List<Method> wanted = methods.isEmpty()
                ? List.copyOf(spec.heads().keySet())
                : methods.stream()
                        .map(Variant::method)
                        .filter(method -> method != Method.PLAIN)
                        .toList();
        return new CompareOptions(
                model, spec, wanted, trees, quick ? 4 : prompts, promptTokens, maxTokens, temperature, seconds);
    }

    private static List<Map<String, Object>> streamRates() {
        List<Map<String, Object>> rates = new ArrayList<>();
        try (Backend backend = Settings.openBackend()) {
            for (long bytes : STREAM_BYTES) {
                double rate = backend.streamRate(bytes, STREAM_REPEATS) / 1e9;
                System.out.printf("stream rate over %d MB: %.1f GB/s%n", bytes / 1_000_000, rate);
                Map<String, Object> json = new LinkedHashMap<>();
                json.put("megabytes", bytes / 1_000_000);
                json.put("gigabytes_per_second", rate);
                rates.add(json);
            }
        }
        return rates;
    }

    private static void set(String property, Object value) {
        if (value != null) {
            System.setProperty(property, value.toString());
        }
    }
}
