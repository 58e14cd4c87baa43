package io.hydra4j.benchmarks;

import io.hydra4j.runtime.Backend;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
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
 * How fast do all threads together read memory? That bounds one-token decoding, which reads every weight once. The counter
 * {@code rate} is the answer; the score is the time of a measurement of several passes, its memory made anew.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Fork(1)
@Warmup(iterations = 1, time = 300, timeUnit = TimeUnit.MILLISECONDS)
@Measurement(iterations = 5, time = 300, timeUnit = TimeUnit.MILLISECONDS)
public class StreamRateBenchmark {
    private static final int REPEATS = 5;

    /** Size of what is read, in 10^6 bytes. */
    @Param({"20", "100", "500"})
    public int megabytes;

    private Backend backend;

    @Setup
    public void open() {
        backend = Settings.openBackend();
    }

    @Benchmark
    public double stream() {
        double rate = backend.streamRate(megabytes * 1_000_000L, REPEATS);
        Counters.put("rate", "GB/s", rate / 1e9);
        return rate;
    }

    @TearDown
    public void close() {
        backend.close();
    }
}
