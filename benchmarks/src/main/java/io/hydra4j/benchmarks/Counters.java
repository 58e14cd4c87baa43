package io.hydra4j.benchmarks;

import io.hydra4j.runtime.Backend;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.openjdk.jmh.infra.BenchmarkParams;
import org.openjdk.jmh.infra.IterationParams;
import org.openjdk.jmh.profile.InternalProfiler;
import org.openjdk.jmh.results.AggregationPolicy;
import org.openjdk.jmh.results.IterationResult;
import org.openjdk.jmh.results.Result;
import org.openjdk.jmh.results.ScalarResult;

/**
 * Figures beside a benchmark's score, one of each for an iteration. To JMH they are a profiler's, for its own counters are added
 * up over iterations. All benchmarks give the rate at which the machine streams as many bytes as they read, measured just before
 * the iteration, and their own rate as a percentage of it.
 */
public final class Counters implements InternalProfiler {
    /** Less does not stream: it stays in a core's own cache. */
    private static final long LEAST_BYTES = 1 << 20;

    /** More streams no slower, and a GPU may have no room for it beside a model. */
    private static final long MOST_BYTES = 512 << 20;

    private static final int REPEATS = 5;

    // A fork measures one benchmark at a time, in one thread.
    private static final Map<String, Result<?>> FIGURES = new LinkedHashMap<>();
    private static double streamRate;
    private static double bytes;
    private static double nanos;

    /**
     * Measures the rate at which the backend streams so many bytes again and again, up to 512 MiB: at the beginning of an
     * iteration.
     */
    static void measureStream(Backend backend, long workingSet) {
        streamRate = backend.streamRate(Math.max(LEAST_BYTES, Math.min(MOST_BYTES, workingSet)), REPEATS);
    }

    /** Takes in what the benchmark read, and the time that it took. */
    static void read(long bytesRead, long nanosTaken) {
        bytes += bytesRead;
        nanos += nanosTaken;
    }

    /** Gives a figure of this iteration, in place of one with the same name. */
    static void put(String name, String unit, double value) {
        FIGURES.put(name, new ScalarResult(name, value, unit, AggregationPolicy.AVG));
    }

    @Override
    public void beforeIteration(BenchmarkParams benchmarkParams, IterationParams iterationParams) {
        FIGURES.clear();
        streamRate = 0;
        bytes = 0;
        nanos = 0;
    }

    @Override
    public Collection<? extends Result<?>> afterIteration(
            BenchmarkParams benchmarkParams, IterationParams iterationParams, IterationResult result) {
        if (streamRate > 0 && nanos > 0) {
            put("stream", "GB/s", streamRate / 1e9);
            put("streamShare", "%", 100 * bytes / nanos * 1e9 / streamRate);
        }
        return List.copyOf(FIGURES.values());
    }

    @Override
    public String getDescription() {
        return "stream rate, and what the benchmark says about itself";
    }
}
