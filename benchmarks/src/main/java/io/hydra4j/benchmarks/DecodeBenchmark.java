package io.hydra4j.benchmarks;

import io.hydra4j.GenerationOptions;
import io.hydra4j.GenerationResult;
import io.hydra4j.HydraModel;
import io.hydra4j.runtime.Backend;
import io.hydra4j.runtime.Resources;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * How many tokens a second does each way of decoding give? An iteration is one pass over the same few prompts, each continued by
 * up to 128 tokens; the counter {@code tokensPerSecond} is the answer and leaves prefill out, the score is the time of a whole
 * pass. For ratios between methods {@link CompareDecode} is the better judge: it takes them in turn.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.SingleShotTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Fork(1)
@Warmup(iterations = 1)
@Measurement(iterations = 5)
public class DecodeBenchmark {
    private static final int PROMPTS = 8;
    private static final int PROMPT_TOKENS = 256;
    private static final int MAX_TOKENS = 128;
    private static final int TUNING_TOKENS = 64;

    /** As {@link ModelSpec#named} takes it. */
    @Param(ModelSpec.DEFAULT)
    public String model;

    /** {@code plain}, or method/tree. */
    @Param({"plain", "hydra++/default", "hydra++/tuned", "hydra++/auto"})
    public String variant;

    private final Resources resources = new Resources();
    private Backend backend;
    private HydraModel loaded;
    private Prompts prompts;
    private GenerationOptions options;

    @Setup
    public void open() {
        backend = resources.own(Settings.openBackend());
        ModelSpec spec = ModelSpec.named(model);
        Variant wanted = Variant.parse(variant);
        loaded = resources.own(spec.open(wanted.method()));
        prompts = Prompts.read(spec.prompts(), loaded, PROMPTS, PROMPT_TOKENS);
        options = wanted.options(
                wanted.method() == Method.PLAIN
                        ? null
                        : Trees.resolve(wanted.tree(), loaded, prompts.calibration(), TUNING_TOKENS),
                MAX_TOKENS,
                0);
    }

    /** Measures the yardstick. */
    @Setup(Level.Iteration)
    public void measureStream() {
        Counters.measureStream(backend, loaded.info().bytesPerPass());
    }

    @Benchmark
    public long decode() {
        long tokens = 0;
        long steps = 0;
        long nanos = 0;
        for (int[] prompt : prompts.measured()) {
            GenerationResult result = loaded.generate(prompt, options);
            tokens += result.completionTokens();
            steps += result.statistics().steps();
            nanos += result.decodeNanos();
            Counters.read(Variant.bytesRead(loaded, result.statistics()), result.decodeNanos());
        }
        Counters.put("tokensPerSecond", "tokens/s", tokens * 1e9 / nanos);
        Counters.put("acceptanceLength", "tokens/step", (double) tokens / steps);
        return tokens;
    }

    @TearDown
    public void close() {
        resources.close();
    }
}
