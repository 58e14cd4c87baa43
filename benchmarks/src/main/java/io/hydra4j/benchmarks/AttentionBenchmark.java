package io.hydra4j.benchmarks;

import io.hydra4j.decode.Tree;
import io.hydra4j.runtime.Backend;
import io.hydra4j.runtime.BackendKind;
import io.hydra4j.runtime.Buffer;
import io.hydra4j.runtime.KvPool;
import io.hydra4j.runtime.Matrix;
import io.hydra4j.runtime.Program;
import io.hydra4j.runtime.Resources;
import io.hydra4j.runtime.Rope;
import io.hydra4j.runtime.Rows;
import io.hydra4j.runtime.Sequence;
import io.hydra4j.runtime.TreeState;
import io.hydra4j.runtime.WeightType;
import java.util.Arrays;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * What does tree attention cost over a long prefix? The score is the time of one layer; {@link #LAYERS} layers, each with
 * keys and values of its own, are computed one after another as in a model.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Fork(1)
@Warmup(iterations = 2, time = 200, timeUnit = TimeUnit.MILLISECONDS)
@Measurement(iterations = 6, time = 200, timeUnit = TimeUnit.MILLISECONDS)
public class AttentionBenchmark {
    /** Layers of a pass. */
    static final int LAYERS = 8;

    private static final int HIDDEN = 64;
    private static final int MAX_ROWS = Rows.MAX_ROWS;
    private static final float EPSILON = 1e-5f;

    /** Query heads / KV heads: the embedded model's, SmolLM2-135M's, Llama-3.2-1B's, and one without groups. */
    @Param({"6/2", "9/3", "32/8", "8/8"})
    public String heads;

    /** Values of a head. */
    @Param("64")
    public int headSize;

    /** Verified positions. */
    @Param({"128", "512", "1024", "2048", "4096"})
    public int prefix;

    /** Tree nodes. */
    @Param({"1", "8", "16", "64"})
    public int nodes;

    private final Resources resources = new Resources();
    private Backend backend;
    private Program program;
    private long bytes;

    @Setup
    public void open() {
        int queryHeads = Integer.parseInt(heads.substring(0, heads.indexOf('/')));
        int kvHeads = Integer.parseInt(heads.substring(heads.indexOf('/') + 1));
        backend = resources.own(Settings.openBackend());
        int pages = (prefix + MAX_ROWS) / KvPool.PAGE_POSITIONS + 1;
        WeightType kvType = backend.kind() == BackendKind.CUDA ? WeightType.F16 : WeightType.F32;
        KvPool pool = resources.own(KvPool.create(backend, kvType, LAYERS, kvHeads, headSize, pages));
        Sequence sequence = resources.own(Sequence.create(backend, pages));
        sequence.setPages(IntStream.range(0, pages).toArray());
        Rows rows = resources.own(Rows.create(sequence));
        Buffer query = resources.own(Buffer.floats(backend, (long) MAX_ROWS * queryHeads * headSize));
        Buffer out = resources.own(Buffer.floats(backend, (long) MAX_ROWS * queryHeads * headSize));

        Program fill = resources.own(Program.create(backend));
        recordKeysAndValues(fill, rows, pool, queryHeads, kvHeads, pages * KvPool.PAGE_POSITIONS, query);
        Program advance = resources.own(Program.create(backend));
        advance.advance(rows, null, null, null, null);
        for (int at = 0; at < prefix; at += MAX_ROWS) {
            rows.setChain(new int[Math.min(MAX_ROWS, prefix - at)]);
            fill.run();
            advance.run();
        }

        Tree tree = Tree.of(Tree.published().subList(0, nodes - 1));
        TreeState state = resources.own(TreeState.create(backend));
        state.set(tree.parents(), tree.ranks());
        sequence.rewind(prefix, 0);
        Program plant = resources.own(Program.create(backend));
        plant.plant(state, rows);
        plant.run();
        fill.run();

        program = resources.own(Program.create(backend));
        for (int layer = 0; layer < LAYERS; layer++) {
            program.attention(rows, query, queryHeads, pool, layer, out);
        }
        bytes = pool.pageBytes() / KvPool.PAGE_POSITIONS * (prefix + nodes);
    }

    /** Records random keys and values for the rows, in all layers. */
    private void recordKeysAndValues(
            Program fill, Rows rows, KvPool pool, int queryHeads, int kvHeads, int positions, Buffer query) {
        float[] frequencies = new float[headSize / 2];
        Arrays.fill(frequencies, 0.1f);
        Rope rope = resources.own(Rope.create(backend, headSize, frequencies, positions));
        Buffer x = resources.own(Fill.buffer(backend, MAX_ROWS * HIDDEN));
        Buffer norm = resources.own(Fill.buffer(backend, HIDDEN));
        Matrix queries = resources.own(Fill.matrix(backend, WeightType.F32, queryHeads * headSize, HIDDEN));
        Matrix keys = resources.own(Fill.matrix(backend, WeightType.F32, kvHeads * headSize, HIDDEN));
        for (int layer = 0; layer < LAYERS; layer++) {
            fill.qkv(rows, x, norm, EPSILON, queries, keys, keys, null, null, null, rope, pool, layer, query);
        }
    }

    /** Measures the yardstick. */
    @Setup(Level.Iteration)
    public void measureStream() {
        Counters.measureStream(backend, bytes);
    }

    @Benchmark
    @OperationsPerInvocation(LAYERS)
    public void attention() {
        long start = System.nanoTime();
        program.run();
        Counters.read(bytes, System.nanoTime() - start);
    }

    @TearDown
    public void close() {
        resources.close();
    }
}
