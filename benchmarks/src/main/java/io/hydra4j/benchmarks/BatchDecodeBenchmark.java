package io.hydra4j.benchmarks;

import io.hydra4j.HydraModel;
import io.hydra4j.decode.BatchOptions;
import io.hydra4j.decode.BatchSession;
import io.hydra4j.decode.SessionStatistics;
import io.hydra4j.decode.Tree;
import io.hydra4j.runtime.Backend;
import io.hydra4j.runtime.Resources;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
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
 * How many tokens a second do sequences give together that are decoded side by side? An iteration is one pass over the same prompts,
 * each continued by 64 tokens; whenever a sequence has them, the next prompt takes its place. The counter
 * {@code tokensPerSecond} is the answer and leaves prefill out, the score is the time of a whole pass.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.SingleShotTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Fork(1)
@Warmup(iterations = 1)
@Measurement(iterations = 3)
public class BatchDecodeBenchmark {
    /** As many for all sizes of the batch, so that their figures are of the same text. */
    private static final int PROMPTS = 32;

    private static final int PROMPT_TOKENS = 256;
    private static final int TOKENS = 64;
    private static final int TUNING_TOKENS = 64;

    /** As {@link ModelSpec#named} takes it. */
    @Param(ModelSpec.DEFAULT)
    public String model;

    /** {@code plain}, or method/tree, of the trees that do not change. */
    @Param({"plain", "hydra++/default", "hydra++/nodes:8"})
    public String variant;

    /** Sequences at a time. */
    @Param({"1", "2", "4", "8", "16", "32"})
    public int batch;

    private final Resources resources = new Resources();
    private Backend backend;
    private HydraModel loaded;
    private BatchSession session;
    private List<int[]> prompts;

    @Setup
    public void open() {
        backend = resources.own(Settings.openBackend());
        ModelSpec spec = ModelSpec.named(model);
        Variant wanted = Variant.parse(variant);
        loaded = resources.own(spec.open(wanted.method()));
        Prompts read = Prompts.read(spec.prompts(), loaded, PROMPTS, PROMPT_TOKENS);
        prompts = read.measured();
        Tree tree = wanted.method() == Method.PLAIN
                ? Tree.ROOT
                : Trees.resolve(wanted.tree(), loaded, read.calibration(), TUNING_TOKENS);
        session = resources.own(loaded.batch(BatchOptions.of(batch, tree)));
    }

    /** Measures the yardstick. */
    @Setup(Level.Iteration)
    public void measureStream() {
        Counters.measureStream(backend, loaded.info().bytesPerPass());
        session.resetStatistics();
    }

    @Benchmark
    public long decode() {
        Deque<int[]> waiting = new ArrayDeque<>(prompts);
        int[] ends = new int[batch];
        long nanos = 0;
        for (int s = 0; s < batch; s++) {
            begin(s, waiting, ends);
        }
        boolean running = true;
        while (running) {
            long start = System.nanoTime();
            session.step();
            nanos += System.nanoTime() - start;
            running = false;
            for (int s = 0; s < batch; s++) {
                if (session.takesPart(s) && session.length(s) >= ends[s]) {
                    session.clear(s);
                    begin(s, waiting, ends);
                }
                running |= session.takesPart(s);
            }
        }
        SessionStatistics statistics = session.statistics();
        Counters.read(Variant.bytesRead(loaded, statistics), nanos);
        Counters.put("tokensPerSecond", "tokens/s", statistics.tokens() * 1e9 / nanos);
        Counters.put("acceptanceLength", "tokens/step", statistics.acceptanceLength());
        Counters.put("meanBatch", "sequences", (double) statistics.steps() / statistics.passes());
        Counters.put("step", "us", statistics.nanosPerStep() / 1e3);
        return statistics.tokens();
    }

    private void begin(int sequence, Deque<int[]> waiting, int[] ends) {
        int[] prompt = waiting.poll();
        if (prompt != null) {
            session.prefill(sequence, prompt);
            ends[sequence] = prompt.length + TOKENS;
        }
    }

    @TearDown
    public void close() {
        resources.close();
    }
}
