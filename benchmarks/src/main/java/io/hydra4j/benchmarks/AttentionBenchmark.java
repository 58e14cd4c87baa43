package io.hydra4j.benchmarks;

import io.hydra4j.decode.Tree;
import io.hydra4j.runtime.Buffer;
import io.hydra4j.runtime.KvPool;
import io.hydra4j.runtime.Matrix;
import io.hydra4j.runtime.Program;
import io.hydra4j.runtime.Rope;
import io.hydra4j.runtime.TreeTopology;
import io.hydra4j.runtime.WeightType;
import java.util.Arrays;
import java.util.stream.IntStream;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Setup;

/**
 * What does tree attention cost over a long prefix, or several? The score is the time of one layer; {@link #LAYERS} layers, each with
 * keys and values of its own, are computed one after another as in a model.
 */
public class AttentionBenchmark extends ProgramBenchmark {
    /** Layers of a pass. */
    static final int LAYERS = 8;

    private static final int HIDDEN = 64;
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

    /** Sequences, each with such a prefix and tree. */
    @Param("1")
    public int batch;

    @Setup
    public void open() {
        int queryHeads = Integer.parseInt(heads.substring(0, heads.indexOf('/')));
        int kvHeads = Integer.parseInt(heads.substring(heads.indexOf('/') + 1));
        int pages = (prefix + Tree.MAX_NODES) / KvPool.PAGE_POSITIONS + 1;
        openBatch(batch, pages, batch * Tree.MAX_NODES);
        WeightType kvType = Settings.kv().on(backend, false);
        KvPool pool = resources.own(KvPool.create(backend, kvType, LAYERS, kvHeads, headSize, batch * pages));
        Buffer query = resources.own(Buffer.floats(backend, (long) pass.maxRows() * queryHeads * headSize));
        Buffer out = resources.own(Buffer.floats(backend, (long) pass.maxRows() * queryHeads * headSize));

        Program fill = resources.own(Program.create(backend));
        recordKeysAndValues(fill, pool, queryHeads, kvHeads, pages * KvPool.PAGE_POSITIONS, query);
        Program advance = resources.own(Program.create(backend));
        advance.commit(null, pass, null, null, null, 0, null, null, false, null);
        int[] all = IntStream.range(0, batch).toArray();
        for (int at = 0; at < prefix; at += Tree.MAX_NODES) {
            int[] counts = new int[batch];
            Arrays.fill(counts, Math.min(Tree.MAX_NODES, prefix - at));
            pass.setChains(all, counts, new int[batch * counts[0]]);
            fill.run();
            advance.run();
        }

        Tree tree = Tree.of(Tree.published().subList(0, nodes - 1));
        TreeTopology state = resources.own(TreeTopology.create(sequences));
        state.set(TreeTopology.ALL, tree.parents(), tree.ranks());
        for (int s = 0; s < batch; s++) {
            sequences.rewind(s, prefix, 0);
        }
        Program expand = resources.own(Program.create(backend));
        expand.expand(state, null, pass);
        expand.run();
        fill.run();

        for (int layer = 0; layer < LAYERS; layer++) {
            program.attention(pass, query, queryHeads, pool, layer, out);
        }
        bytes = pool.pageBytes() / KvPool.PAGE_POSITIONS * (prefix + nodes) * batch;
    }

    /** Records random keys and values for the pass, in all layers. */
    private void recordKeysAndValues(
            Program fill, KvPool pool, int queryHeads, int kvHeads, int positions, Buffer query) {
        float[] frequencies = new float[headSize / 2];
        Arrays.fill(frequencies, 0.1f);
        Rope rope = resources.own(Rope.create(backend, headSize, frequencies, positions));
        Buffer x = resources.own(Fill.buffer(backend, pass.maxRows() * HIDDEN));
        Buffer norm = resources.own(Fill.buffer(backend, HIDDEN));
        Buffer key = resources.own(Buffer.floats(backend, (long) pass.maxRows() * kvHeads * headSize));
        Buffer value = resources.own(Buffer.floats(backend, (long) pass.maxRows() * kvHeads * headSize));
        Matrix queries = resources.own(Fill.matrix(backend, WeightType.F32, queryHeads * headSize, HIDDEN));
        Matrix keys = resources.own(Fill.matrix(backend, WeightType.F32, kvHeads * headSize, HIDDEN));
        for (int layer = 0; layer < LAYERS; layer++) {
            fill.qkv(pass, x, norm, EPSILON, queries, keys, keys, null, null, null, query, key, value);
            fill.appendKv(pass, query, key, value, queryHeads, null, null, 0, rope, pool, layer);
        }
    }

    @Benchmark
    @OperationsPerInvocation(LAYERS)
    public void attention() {
        run();
    }
}
