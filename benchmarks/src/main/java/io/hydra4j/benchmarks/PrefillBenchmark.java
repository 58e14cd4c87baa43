package io.hydra4j.benchmarks;

import io.hydra4j.decode.BatchSession;
import io.hydra4j.runtime.WeightType;
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
 * How fast does a model of some shape take a prompt in? The score is the time of the whole prompt with weights from a seed, the counter
 * {@code tokensPerSecond} the answer.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.SingleShotTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Fork(1)
@Warmup(iterations = 1)
@Measurement(iterations = 3)
public class PrefillBenchmark {
    /** As {@link Shape#named} takes it. */
    @Param("19m")
    public String shape;

    /** The type of all matrices. */
    @Param("BF16")
    public WeightType type;

    /** Tokens of the prompt. */
    @Param({"512", "2048", "16384"})
    public int context;

    /** Most tokens of one pass. */
    @Param({"64", "512", "2048"})
    public int chunk;

    private SyntheticModel model;
    private BatchSession session;
    private int[] prompt;

    @Setup
    public void open() {
        model = SyntheticModel.open(Shape.named(shape), type, "plain", context, 1);
        prompt = model.prompt(context);
        session = model.session(1, chunk);
    }

    /** Measures the yardstick. */
    @Setup(Level.Iteration)
    public void measureStream() {
        Counters.measureStream(model.base().backend(), model.base().bytesPerPass());
        session.rewind(0, 0);
    }

    @Benchmark
    public int prefill() {
        long start = System.nanoTime();
        session.prefill(0, prompt);
        long nanos = System.nanoTime() - start;
        Counters.read(model.bytesOfPrefill(context, chunk), nanos);
        Counters.put("tokensPerSecond", "tokens/s", context * 1e9 / nanos);
        return session.root(0);
    }

    @TearDown
    public void close() {
        session.close();
        model.close();
    }
}
