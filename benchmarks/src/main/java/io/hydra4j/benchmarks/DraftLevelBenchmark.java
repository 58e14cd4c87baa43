package io.hydra4j.benchmarks;

import io.hydra4j.decode.Tree;
import io.hydra4j.runtime.Buffer;
import io.hydra4j.runtime.KvPool;
import io.hydra4j.runtime.Matrix;
import io.hydra4j.runtime.PassRows;
import io.hydra4j.runtime.Program;
import io.hydra4j.runtime.TopK;
import io.hydra4j.runtime.TreeTopology;
import io.hydra4j.runtime.WeightType;
import java.util.ArrayList;
import java.util.List;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Setup;

/**
 * What does one level of a Hydra draft cost: gathering its inputs, the head's four residual blocks, an LM head, and the choice of
 * tokens, for all parents of that level of the published tree of 64 nodes?
 */
public class DraftLevelBenchmark extends ProgramBenchmark {
    private static final int LAYERS = 4;
    private static final int MAX_ROWS = Tree.MAX_NODES;
    private static final int PAGES = MAX_ROWS / KvPool.PAGE_POSITIONS + 1;
    private static final Tree TREE = Tree.DEFAULT;

    /** As {@link Shape#named} takes it. */
    @Param("19m")
    public String shape;

    /** The type of all matrices. */
    @Param("BF16")
    public WeightType type;

    /** The level: 0 drafts the root's children. */
    @Param({"0", "1", "2", "3"})
    public int level;

    /** Tokens that the level drafts from; 0 for the whole vocabulary. */
    @Param({"0", "4096"})
    public int draftVocabulary;

    private int hidden;
    private Matrix embedding;
    private Matrix lmHead;
    private TreeTopology tree;
    private PassRows levelRows;
    private Buffer states;
    private Buffer inputs;
    private Buffer state;
    private TopK top;

    @Setup
    public void open() {
        Shape model = Shape.named(shape);
        hidden = model.hidden();
        openBatch(1, PAGES, MAX_ROWS);
        int vocabulary = draftVocabulary == 0 ? model.vocabulary() : draftVocabulary;
        embedding = resources.own(Fill.matrix(backend, type, model.vocabulary(), hidden));
        lmHead = vocabulary == model.vocabulary()
                ? embedding
                : resources.own(Fill.matrix(backend, type, vocabulary, hidden));
        levelRows = resources.own(PassRows.create(sequences, MAX_ROWS));
        tree = resources.own(TreeTopology.create(sequences));
        states = resources.own(Fill.buffer(backend, hidden));
        inputs = resources.own(Buffer.floats(backend, (long) MAX_ROWS * (TREE.depth() + 1) * hidden));
        state = resources.own(Buffer.floats(backend, (long) MAX_ROWS * hidden));
        top = resources.own(TopK.create(backend, TREE.candidates(), MAX_ROWS));
        sequences.rewind(0, 0, 0);
        tree.set(TreeTopology.ALL, TREE.parents(), TREE.ranks());

        // The levels above give this one's inputs their tokens.
        Program draft = resources.own(Program.create(backend));
        draft.expand(tree, null, pass);
        for (int above = 0; above < level; above++) {
            record(draft, above, blocks(above));
        }
        draft.run();
        List<Matrix> blocks = blocks(level);
        record(program, level, blocks);
        bytes = lmHead.bytes() + blocks.stream().mapToLong(Matrix::bytes).sum();
    }

    /** A head's matrices: linear and skip of the first block, linear of the others. */
    private List<Matrix> blocks(int head) {
        List<Matrix> blocks = new ArrayList<>();
        for (int i = 0; i <= LAYERS; i++) {
            blocks.add(resources.own(Fill.matrix(backend, type, hidden, i < 2 ? (head + 2) * hidden : hidden)));
        }
        return blocks;
    }

    private void record(Program into, int head, List<Matrix> blocks) {
        into.draftInputs(tree, head, pass, states, hidden, embedding, levelRows, inputs);
        into.block(levelRows, inputs, blocks.get(0), null, blocks.get(1), null, 0, state);
        for (Matrix block : blocks.subList(2, blocks.size())) {
            into.block(levelRows, state, block, null, null, null, 0, state);
        }
        into.lmHead(levelRows, false, state, lmHead, null, null, top, null);
        into.draftTokens(tree, head, top, -1, pass);
    }

    @Benchmark
    public void draftLevel() {
        run();
    }
}
