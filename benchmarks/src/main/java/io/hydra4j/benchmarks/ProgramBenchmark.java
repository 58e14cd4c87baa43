package io.hydra4j.benchmarks;

import io.hydra4j.runtime.Backend;
import io.hydra4j.runtime.Program;
import io.hydra4j.runtime.Resources;
import io.hydra4j.runtime.Rows;
import io.hydra4j.runtime.Sequence;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/** A program of some operations over one sequence, timed; its benchmarks record it and say how many bytes it reads. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Fork(1)
@Warmup(iterations = 2, time = 200, timeUnit = TimeUnit.MILLISECONDS)
@Measurement(iterations = 6, time = 200, timeUnit = TimeUnit.MILLISECONDS)
public abstract class ProgramBenchmark {
    final Resources resources = new Resources();
    Backend backend;
    Sequence sequence;
    /** The rows of a pass over it. */
    Rows pass;

    Program program;
    long bytes;

    /** Opens the backend, a sequence that has the first pages of a pool, and an empty program. */
    final void openSequence(int pages) {
        backend = resources.own(Settings.openBackend());
        sequence = resources.own(Sequence.create(backend, pages));
        sequence.setPages(IntStream.range(0, pages).toArray());
        pass = resources.own(Rows.create(sequence));
        program = resources.own(Program.create(backend));
    }

    /** Measures the yardstick. */
    @Setup(Level.Iteration)
    public void measureStream() {
        Counters.measureStream(backend, bytes);
    }

    final void run() {
        long start = System.nanoTime();
        program.run();
        Counters.read(bytes, System.nanoTime() - start);
    }

    @TearDown
    public void close() {
        resources.close();
    }
}
