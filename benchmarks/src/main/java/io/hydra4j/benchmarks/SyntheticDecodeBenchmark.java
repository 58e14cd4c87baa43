package io.hydra4j.benchmarks;

import io.hydra4j.decode.BatchSession;
import io.hydra4j.decode.SessionStatistics;
import io.hydra4j.decode.Step;
import io.hydra4j.decode.Tree;
import io.hydra4j.runtime.WeightType;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
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
 * What does a step of a model of some shape cost with a long context, and what would it bring? The score is the time of a step of
 * all sequences with weights from a seed and the published tree of 64 nodes for each; counters give its parts, {@code plainStep}, which is measured in turn, and
 * {@code rho}. {@code tokensPerSecond} and {@code speedup} replay the acceptance length of real heads ({@link Acceptance}).
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Fork(1)
@Warmup(iterations = 1, time = 300, timeUnit = TimeUnit.MILLISECONDS)
@Measurement(iterations = 5, time = 300, timeUnit = TimeUnit.MILLISECONDS)
public class SyntheticDecodeBenchmark {
    /** How far the context grows before it is cut again; at most 64 tokens a step after it. */
    private static final int SPAN = 128;

    private static final int PLAIN_STEPS = 8;

    /** As {@link Shape#named} takes it. */
    @Param("19m")
    public String shape;

    /** The type of all matrices. */
    @Param("BF16")
    public WeightType type;

    /** As {@link SyntheticModel#open} takes it. */
    @Param({"plain", "medusa/base", "hydra/base", "hydra++/base"})
    public String variant;

    /** Verified positions. */
    @Param({"512", "4096", "16384"})
    public int context;

    /** Sequences, each with such a context. */
    @Param("1")
    public int batch;

    private SyntheticModel model;
    private BatchSession session;
    private int[] prompt;
    private double acceptance;
    private double plainNanos;
    private long nanos;

    @Setup
    public void open() {
        model = SyntheticModel.open(Shape.named(shape), type, variant, context + SPAN + 2 * Tree.MAX_NODES, batch);
        Method method = Variant.parse(variant).method();
        acceptance = Acceptance.of(method);
        prompt = model.prompt(context);
        session = model.session(batch, 0);
        prefill(0);
    }

    /** Measures the yardsticks: the memory, and plain steps. */
    @Setup(Level.Iteration)
    public void measureYardsticks() {
        Counters.measureStream(model.base().backend(), model.bytesPerStep(context, batch));
        rewind();
        session.setTree(Tree.ROOT);
        session.step();
        session.resetStatistics();
        for (int i = 0; i < PLAIN_STEPS; i++) {
            session.step();
        }
        // What heads take in as a step ends is no part of a plain step.
        SessionStatistics plain = session.statistics();
        plainNanos = (double) (plain.verifyNanos() + plain.acceptNanos()) / plain.passes();
        session.setTree(model.tree());
        session.step();
        session.resetStatistics();
        nanos = 0;
    }

    /** Cuts the context before it grows long. */
    @Setup(Level.Invocation)
    public void cut() {
        if (longest() > context + SPAN) {
            rewind();
        }
    }

    private void rewind() {
        for (int s = 0; s < batch; s++) {
            session.rewind(s, context - 1);
        }
        prefill(context - 1);
    }

    /** Gives all sequences the prompt from a token on. */
    private void prefill(int from) {
        int[] ids = Arrays.copyOfRange(prompt, from, context);
        Map<Integer, int[]> prompts = new HashMap<>();
        for (int s = 0; s < batch; s++) {
            prompts.put(s, ids);
        }
        session.prefill(prompts);
    }

    private int longest() {
        int longest = 0;
        for (int s = 0; s < batch; s++) {
            longest = Math.max(longest, session.length(s));
        }
        return longest;
    }

    @Benchmark
    public Step[] step() {
        long start = System.nanoTime();
        Step[] steps = session.step();
        nanos += System.nanoTime() - start;
        return steps;
    }

    /** The mean times of a step's parts, and what follows from them. */
    @TearDown(Level.Iteration)
    public void count() {
        SessionStatistics statistics = session.statistics();
        double steps = statistics.passes();
        Counters.read(model.bytesPerStep(context, batch) * statistics.passes(), statistics.stepNanos());
        Counters.put("draft", "us", statistics.draftNanos() / 1e3 / steps);
        Counters.put("verify", "us", statistics.verifyNanos() / 1e3 / steps);
        Counters.put("accept", "us", statistics.acceptNanos() / 1e3 / steps);
        Counters.put("plainStep", "us", plainNanos / 1e3);
        Counters.put("rho", "x", statistics.nanosPerStep() / plainNanos);
        Counters.put("speedup", "x", acceptance * plainNanos / statistics.nanosPerStep());
        Counters.put("tokensPerSecond", "tokens/s", acceptance * batch * steps * 1e9 / nanos);
        Counters.put("replayedAcceptance", "tokens/step", acceptance);
    }

    @TearDown
    public void close() {
        session.close();
        model.close();
    }
}
