package io.hydra4j.benchmarks;

import io.hydra4j.runtime.Backend;
import io.hydra4j.runtime.Buffer;
import io.hydra4j.runtime.Matrix;
import io.hydra4j.runtime.Program;
import io.hydra4j.runtime.Resources;
import io.hydra4j.runtime.Rows;
import io.hydra4j.runtime.Sequence;
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
 * What do more rows cost in a matrix product, by shape and type of the weights? The score is the time of one pass over a set of
 * matrices as large as a small model, one behind another as a forward pass reads them, so that they come from where a
 * model's weights come from.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Fork(1)
@Warmup(iterations = 2, time = 200, timeUnit = TimeUnit.MILLISECONDS)
@Measurement(iterations = 6, time = 200, timeUnit = TimeUnit.MILLISECONDS)
public class ProductBenchmark {
    private static final int MAX_ROWS = Rows.MAX_ROWS;

    /**
     * Outputs x inputs: the first half of the embedded model's feed-forward, and the second half of SmolLM2-135M's;
     * {@link Shape#products} has those of others.
     */
    @Param({"1024x384", "576x1536"})
    public String shape;

    /** The weights' type. */
    @Param({"Q8_0", "Q4_0", "Q4_1", "BF16", "F16", "F32"})
    public WeightType type;

    /** Size of the set, in 10^6 bytes. */
    @Param({"20", "100"})
    public int megabytes;

    /** Rows that one pass multiplies. */
    @Param({"1", "2", "4", "8", "16", "32", "64"})
    public int rows;

    private final Resources resources = new Resources();
    private Backend backend;
    private Program program;
    private long bytes;

    @Setup
    public void open() {
        int outputs = Integer.parseInt(shape.substring(0, shape.indexOf('x')));
        int inputs = Integer.parseInt(shape.substring(shape.indexOf('x') + 1));
        backend = resources.own(Settings.openBackend());
        Sequence sequence = resources.own(Sequence.create(backend, 1));
        Rows chain = resources.own(Rows.create(sequence));
        chain.setChain(new int[rows]);
        Buffer x = resources.own(Fill.buffer(backend, MAX_ROWS * inputs));
        Buffer residual = resources.own(Buffer.floats(backend, (long) MAX_ROWS * outputs));
        program = resources.own(Program.create(backend));
        while (bytes < megabytes * 1_000_000L) {
            Matrix weight = resources.own(Fill.matrix(backend, type, outputs, inputs));
            program.project(chain, x, weight, null, residual);
            bytes += weight.bytes();
        }
    }

    /** Measures the yardstick. */
    @Setup(Level.Iteration)
    public void measureStream() {
        Counters.measureStream(backend, bytes);
    }

    @Benchmark
    public void product() {
        long start = System.nanoTime();
        program.run();
        Counters.read(bytes, System.nanoTime() - start);
    }

    @TearDown
    public void close() {
        resources.close();
    }
}
