package io.hydra4j.benchmarks;

import io.hydra4j.decode.Tree;
import io.hydra4j.runtime.Buffer;
import io.hydra4j.runtime.KvPool;
import io.hydra4j.runtime.Matrix;
import io.hydra4j.runtime.Program;
import io.hydra4j.runtime.Rope;
import io.hydra4j.runtime.Rows;
import io.hydra4j.runtime.TreeState;
import io.hydra4j.runtime.WeightType;
import java.util.Arrays;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Setup;

/**
 * What does tree attention cost over a long prefix? The score is the time of one layer; {@link #LAYERS} layers, each with
 * keys and values of its own, are computed one after another as in a model.
 */
public class AttentionBenchmark extends ProgramBenchmark {
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

    @Setup
    public void open() {
        int queryHeads = Integer.parseInt(heads.substring(0, heads.indexOf('/')));
        int kvHeads = Integer.parseInt(heads.substring(heads.indexOf('/') + 1));
        int pages = (prefix + MAX_ROWS) / KvPool.PAGE_POSITIONS + 1;
        openSequence(pages);
        WeightType kvType = Settings.kv().on(backend, false);
        KvPool pool = resources.own(KvPool.create(backend, kvType, LAYERS, kvHeads, headSize, pages));
        Buffer query = resources.own(Buffer.floats(backend, (long) MAX_ROWS * queryHeads * headSize));
        Buffer out = resources.own(Buffer.floats(backend, (long) MAX_ROWS * queryHeads * headSize));

        Program fill = resources.own(Program.create(backend));
        recordKeysAndValues(fill, pool, queryHeads, kvHeads, pages * KvPool.PAGE_POSITIONS, query);
        Program advance = resources.own(Program.create(backend));
        advance.advance(pass, null, null, null, null);
        for (int at = 0; at < prefix; at += MAX_ROWS) {
            pass.setChain(new int[Math.min(MAX_ROWS, prefix - at)]);
            fill.run();
            advance.run();
        }

        Tree tree = Tree.of(Tree.published().subList(0, nodes - 1));
        TreeState state = resources.own(TreeState.create(backend));
        state.set(tree.parents(), tree.ranks());
        sequence.rewind(prefix, 0);
        Program plant = resources.own(Program.create(backend));
        plant.plant(state, pass);
        plant.run();
        fill.run();

        for (int layer = 0; layer < LAYERS; layer++) {
            program.attention(pass, query, queryHeads, pool, layer, out);
        }
        bytes = pool.pageBytes() / KvPool.PAGE_POSITIONS * (prefix + nodes);
    }

    /** Records random keys and values for the pass, in all layers. */
    private void recordKeysAndValues(
            Program fill, KvPool pool, int queryHeads, int kvHeads, int positions, Buffer query) {
        float[] frequencies = new float[headSize / 2];
        Arrays.fill(frequencies, 0.1f);
        Rope rope = resources.own(Rope.create(backend, headSize, frequencies, positions));
        Buffer x = resources.own(Fill.buffer(backend, MAX_ROWS * HIDDEN));
        Buffer norm = resources.own(Fill.buffer(backend, HIDDEN));
        Matrix queries = resources.own(Fill.matrix(backend, WeightType.F32, queryHeads * headSize, HIDDEN));
        Matrix keys = resources.own(Fill.matrix(backend, WeightType.F32, kvHeads * headSize, HIDDEN));
        for (int layer = 0; layer < LAYERS; layer++) {
            fill.qkv(pass, x, norm, EPSILON, queries, keys, keys, null, null, null, rope, pool, layer, query);
        }
    }

    @Benchmark
    @OperationsPerInvocation(LAYERS)
    public void attention() {
        run();
    }
}
