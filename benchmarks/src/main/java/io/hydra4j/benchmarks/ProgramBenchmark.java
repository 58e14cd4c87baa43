package io.hydra4j.benchmarks;

import io.hydra4j.runtime.Backend;
import io.hydra4j.runtime.Batch;
import io.hydra4j.runtime.PassRows;
import io.hydra4j.runtime.Program;
import io.hydra4j.runtime.Resources;
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

/** A program of some operations over a batch, timed; its benchmarks record it and say how many bytes it reads. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Fork(1)
@Warmup(iterations = 2, time = 200, timeUnit = TimeUnit.MILLISECONDS)
@Measurement(iterations = 6, time = 200, timeUnit = TimeUnit.MILLISECONDS)
public abstract class ProgramBenchmark {
    final Resources resources = new Resources();
    Backend backend;
    Batch sequences;
    /** The rows of a pass over it. */
    PassRows pass;

    Program program;
    long bytes;

    /**
     * Opens the backend, sequences that have the first pages of a pool one after the other, and an empty program.
     *
     * @param pages of each sequence
     * @param rows most rows of a pass
     */
    final void openBatch(int size, int pages, int rows) {
        backend = resources.own(Settings.openBackend());
        sequences = resources.own(Batch.create(backend, size, pages));
        for (int s = 0; s < size; s++) {
            sequences.setPages(s, IntStream.range(s * pages, (s + 1) * pages).toArray());
        }
        pass = resources.own(PassRows.create(sequences, rows));
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
