package io.hydra4j.benchmarks;

import io.hydra4j.HydraModel;
import io.hydra4j.decode.Session;
import io.hydra4j.decode.SessionOptions;
import io.hydra4j.decode.SessionStatistics;
import io.hydra4j.decode.Step;
import io.hydra4j.decode.Tree;
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
 * Where does a step's time go? The score is the time of a step after a prompt of 256 tokens; the counters are the mean times of
 * its parts. One node is a step without a draft.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Fork(1)
@Warmup(iterations = 2, time = 300, timeUnit = TimeUnit.MILLISECONDS)
@Measurement(iterations = 6, time = 300, timeUnit = TimeUnit.MILLISECONDS)
public class StepPartsBenchmark {
    private static final int PROMPT_TOKENS = 256;
    private static final int LONGEST = 2 * PROMPT_TOKENS;

    /** As {@link ModelSpec#named} takes it. */
    @Param(ModelSpec.DEFAULT)
    public String model;

    /** The kind of heads. */
    @Param("hydra++")
    public String method;

    /** Tree nodes: so many of the heads' growth order. */
    @Param({"1", "4", "8", "16", "32", "64"})
    public int nodes;

    private final Resources resources = new Resources();
    private Backend backend;
    private HydraModel loaded;
    private Session session;
    private int[] prompt;

    @Setup
    public void open() {
        backend = resources.own(Settings.openBackend());
        ModelSpec spec = ModelSpec.named(model);
        loaded = resources.own(spec.open(Variant.method(method)));
        prompt = Prompts.read(spec.prompts(), loaded, 1, PROMPT_TOKENS)
                .measured()
                .get(0);
        Tree tree = loaded.tree(nodes);
        session = resources.own(loaded.session(SessionOptions.of(tree)));
        session.prefill(prompt);
    }

    /** Measures the yardstick. */
    @Setup(Level.Iteration)
    public void measureStream() {
        Counters.measureStream(backend, loaded.info().bytesPerPass());
        session.resetStatistics();
    }

    /** Goes back to the prompt before the context grows long. */
    @Setup(Level.Invocation)
    public void rewind() {
        if (session.length() > LONGEST || session.remainingContext() <= Tree.MAX_NODES) {
            session.rewind(0);
            session.prefill(prompt);
        }
    }

    @Benchmark
    public Step step() {
        return session.step();
    }

    /** The mean times of a step's parts. */
    @TearDown(Level.Iteration)
    public void countParts() {
        SessionStatistics statistics = session.statistics();
        Counters.read(Variant.bytesRead(loaded, statistics), statistics.stepNanos());
        double steps = statistics.steps();
        Counters.put("draft", "us", statistics.draftNanos() / 1e3 / steps);
        Counters.put("verify", "us", statistics.verifyNanos() / 1e3 / steps);
        Counters.put("accept", "us", statistics.acceptNanos() / 1e3 / steps);
        Counters.put("acceptanceLength", "tokens/step", statistics.acceptanceLength());
    }

    @TearDown
    public void close() {
        resources.close();
    }
}
