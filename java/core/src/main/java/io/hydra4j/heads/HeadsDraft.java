package io.hydra4j.heads;

import io.hydra4j.draft.Draft;
import io.hydra4j.draft.Drafter;
import io.hydra4j.model.DecoderConfig;
import io.hydra4j.model.PassBuffers;
import io.hydra4j.runtime.Backend;
import io.hydra4j.runtime.Batch;
import io.hydra4j.runtime.Buffer;
import io.hydra4j.runtime.Matrix;
import io.hydra4j.runtime.PassRows;
import io.hydra4j.runtime.Program;
import io.hydra4j.runtime.Resources;
import io.hydra4j.runtime.Sampling;
import io.hydra4j.runtime.TopK;
import io.hydra4j.runtime.TreeTopology;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The draft of heads. What it keeps from step to step are the prefix layer's keys and values, where there is such a layer, and the
 * hidden state of each sequence that its next draft starts from.
 *
 * <p>Heads that are not grounded are evaluated side by side, with one pass through a shared LM head; grounded heads level by
 * level, all parents of a level in one pass. Not thread-safe.
 */
public final class HeadsDraft implements Draft {
    private final DraftHeads heads;
    private final DecoderConfig config;
    private final Batch batch;
    private final Sampling sampling;
    private final int levels;
    private final PassRows uncommittedRows;
    private final PassRows promptRows;
    private final Buffer uncommitted;
    private final Buffer states;
    private final PassBuffers prefix;
    private final PassRows levelRows;
    private final PassRows headRows;
    private final List<TopK> tops = new ArrayList<>();
    private final Map<String, Buffer> scratch = new HashMap<>();
    /** Those of the roots, where there are tables; made when they are first recorded. */
    private PassRows rootRows;

    private final Resources owned = new Resources();

    HeadsDraft(DraftHeads heads, Drafter.Loop loop) {
        this.heads = heads;
        config = heads.base().config();
        batch = loop.batch();
        sampling = loop.sampling();
        int nodes = loop.nodes();
        levels = Math.min(heads.heads().size(), nodes - 1);
        try {
            Backend backend = heads.base().backend();
            int sequences = batch.sequences();
            // A step leaves a path of each sequence, and those of several steps may wait where there is one sequence.
            int deepest = Math.max(levels, Math.min(MAX_CHAIN, nodes - 1));
            uncommittedRows = owned.own(
                    PassRows.create(batch, sequences == 1 ? TreeTopology.MAX_NODES : sequences * (deepest + 1)));
            promptRows = owned.own(PassRows.create(batch, loop.promptRows()));
            int most = Math.max(uncommittedRows.maxRows(), loop.promptRows());
            if (heads.prefixLayer() == null) {
                prefix = null;
                uncommitted = rows(most, config.hidden());
            } else {
                prefix = owned.own(PassBuffers.create(backend, config, most));
                // The prefix layer works in place on the states that the loop leaves.
                uncommitted = prefix.x();
            }
            states = rows(sequences, config.hidden());
            // At most half of a tree's nodes stand on one level and have children.
            boolean grounded = heads.config().kind().isGrounded();
            levelRows = owned.own(PassRows.create(batch, sequences * (grounded ? Math.max(1, nodes / 2) : 1)));
            headRows = owned.own(PassRows.create(batch, sequences * Math.max(1, levels)));
            for (int i = 0; i < (sharesLmHead() ? 1 : levels); i++) {
                int vocabulary = (int) Math.min(
                        Integer.MAX_VALUE, heads.heads().get(i).lmHead().rows());
                int rows = sharesLmHead() ? headRows.maxRows() : levelRows.maxRows();
                tops.add(owned.own(TopK.create(backend, Math.min(loop.candidates(), vocabulary), rows)));
            }
        } catch (RuntimeException | Error e) {
            Resources.closeAfter(e, owned);
            throw e;
        }
    }

    private Buffer rows(long count, long columns) {
        return owned.own(Buffer.floats(heads.base().backend(), count * columns));
    }

    /** What a draft needs while it runs: made when it is first recorded, and shared by all recordings. */
    private Buffer scratch(String name, long count, long columns) {
        return scratch.computeIfAbsent(name, it -> rows(count, columns));
    }

    @Override
    public PassRows uncommittedRows() {
        return uncommittedRows;
    }

    @Override
    public PassRows promptRows() {
        return promptRows;
    }

    @Override
    public Buffer uncommitted() {
        return uncommitted;
    }

    @Override
    public boolean keepsState() {
        return prefix != null;
    }

    /** The best candidates of a head after a step: rows as drafted, for tests and tools. */
    public TopK top(int head) {
        return tops.get(sharesLmHead() ? 0 : head);
    }

    /**
     * Whether all heads' candidates come from one pass: {@link #top} then has a row for each head and sequence, those of the
     * first head first.
     */
    public boolean sharesLmHead() {
        return !heads.config().kind().isGrounded() && heads.config().baseLmHead();
    }

    @Override
    public void recordCommit(Program program, PassRows rows) {
        if (prefix == null) {
            program.draftStates(rows, uncommitted, null, 0, config.hidden(), states);
        } else {
            recordPrefix(program, rows);
        }
    }

    /** The prefix layer's keys and values alone: drafts begin with what it makes of the last state. */
    @Override
    public void recordCommitBeforeOthers(Program program, PassRows rows) {
        if (prefix != null) {
            heads.prefixLayer()
                    .recordKeysAndValues(program, rows, prefix, heads.base().draftRope(), heads.prefixPool(), 0);
        }
    }

    private void recordPrefix(Program program, PassRows rows) {
        heads.prefixLayer().record(program, rows, prefix, heads.base().draftRope(), heads.prefixPool(), 0);
        program.draftStates(rows, prefix.x(), heads.prefixNorm(), config.normEpsilon(), config.hidden(), states);
    }

    @Override
    public void recordDraft(Program program, TreeTopology tree, PassRows nodes) {
        record(new FixedTrees(program, tree, nodes));
    }

    @Override
    public int levels() {
        return levels;
    }

    @Override
    public void recordGrowth(Program program, TreeTopology tree, PassRows prompts, PassRows nodes) {
        record(new GrowingTrees(program, tree, prompts, nodes));
    }

    private void record(Recording recording) {
        if (heads.config().kind().isGrounded()) {
            recordGrounded(recording);
        } else {
            recordIndependent(recording);
        }
    }

    /** What becomes of the candidates of a draft, which is recorded. */
    private abstract static class Recording {
        final Program program;
        final TreeTopology tree;
        final PassRows nodes;

        Recording(Program program, TreeTopology tree, PassRows nodes) {
            this.program = program;
            this.tree = tree;
            this.nodes = nodes;
        }

        /** Records the candidates of a head, or of all that share an LM head: those of rows of vectors. */
        abstract void lmHead(int top, PassRows rows, Buffer vectors, Matrix lmHead, Buffer bias);

        /** Records that the nodes below a depth get them; group as in {@link Program#draftTokens}. */
        abstract void give(int level, int top, int group);
    }

    private final class FixedTrees extends Recording {
        FixedTrees(Program program, TreeTopology tree, PassRows nodes) {
            super(program, tree, nodes);
        }

        @Override
        void lmHead(int top, PassRows rows, Buffer vectors, Matrix lmHead, Buffer bias) {
            if (sampling == null) {
                program.lmHead(rows, false, vectors, lmHead, bias, heads.draftIds(), tops.get(top), null);
            } else {
                recordRanks(program, rows, vectors, lmHead, bias, tops.get(top));
            }
        }

        @Override
        void give(int level, int top, int group) {
            program.draftTokens(tree, level, tops.get(top), group, nodes);
        }
    }

    private final class GrowingTrees extends Recording {
        private final PassRows prompts;

        GrowingTrees(Program program, TreeTopology tree, PassRows prompts, PassRows nodes) {
            super(program, tree, nodes);
            this.prompts = prompts;
        }

        @Override
        void lmHead(int top, PassRows rows, Buffer vectors, Matrix lmHead, Buffer bias) {
            recordRanks(program, rows, vectors, lmHead, bias, tops.get(top));
        }

        @Override
        void give(int level, int top, int group) {
            program.grow(tree, level, tops.get(top), group, prompts, nodes);
        }
    }

    /** The best candidates with their log-probabilities, by the noise that the loop selects by where it samples. */
    private void recordRanks(Program program, PassRows rows, Buffer vectors, Matrix lmHead, Buffer bias, TopK top) {
        Buffer logits = scratch("logits", rows.maxRows(), lmHead.rows());
        program.lmHead(rows, false, vectors, lmHead, bias, null, null, logits);
        program.rank(rows, logits, lmHead.rows(), heads.draftIds(), sampling, top);
    }

    private void recordGrounded(Recording recording) {
        Program program = recording.program;
        TreeTopology tree = recording.tree;
        PassRows nodes = recording.nodes;
        DraftTables tables = heads.tables();
        Matrix embedding = heads.base().embedding();
        Buffer inputs =
                tables != null ? null : scratch("path inputs", levelRows.maxRows(), (levels + 1L) * config.hidden());
        Buffer parts = tables == null ? null : recordParts(program, tree, nodes, tables);
        Buffer state = scratch("between", levelRows.maxRows(), config.hidden());
        for (int level = 0; level < levels; level++) {
            DraftHeads.Head head = heads.heads().get(level);
            if (tables == null) {
                program.draftInputs(tree, level, nodes, states, config.hidden(), embedding, levelRows, inputs);
                recordBlocks(program, head.blocks(), inputs, state, state, 0);
            } else {
                int hidden = config.hidden();
                List<DraftHeads.Block> others =
                        head.blocks().subList(1, head.blocks().size());
                Buffer first = others.size() % 2 == 0 ? state : turns();
                program.tableBlock(
                        tree,
                        level,
                        nodes,
                        parts,
                        tables.states().rows(),
                        2L * level * hidden,
                        tables.table(level),
                        config.vocabulary(),
                        hidden,
                        levelRows,
                        first);
                recordBlocks(program, others, first, state, state, 0);
            }
            recording.lmHead(level, levelRows, state, head.lmHead(), head.lmHeadBias());
            recording.give(level, level, -1);
        }
    }

    /** The states' parts of all heads' first blocks: {@code float[sequences][heads * 2h]}. */
    private Buffer recordParts(Program program, TreeTopology tree, PassRows nodes, DraftTables tables) {
        int sequences = batch.sequences();
        if (rootRows == null) {
            rootRows = owned.own(PassRows.create(batch, sequences));
        }
        Buffer inputs = scratch("inputs", sequences, config.hidden());
        Buffer parts = scratch("parts", sequences, tables.states().rows());
        program.draftInputs(tree, 0, nodes, states, config.hidden(), null, rootRows, inputs);
        program.linear(rootRows, inputs, tables.states(), tables.biases(), null, parts);
        return parts;
    }

    private void recordIndependent(Recording recording) {
        Program program = recording.program;
        TreeTopology tree = recording.tree;
        PassRows nodes = recording.nodes;
        Buffer inputs = scratch("inputs", levelRows.maxRows(), config.hidden());
        Buffer between = scratch("between", levelRows.maxRows(), config.hidden());
        Buffer vectors = scratch("vectors", headRows.maxRows(), config.hidden());
        for (int level = 0; level < levels; level++) {
            DraftHeads.Head head = heads.heads().get(level);
            program.draftInputs(tree, level, nodes, states, config.hidden(), null, levelRows, inputs);
            if (sharesLmHead()) {
                recordBlocks(program, head.blocks(), inputs, between, vectors, level);
                continue;
            }
            recordBlocks(program, head.blocks(), inputs, between, vectors, 0);
            recording.lmHead(level, levelRows, vectors, head.lmHead(), head.lmHeadBias());
            recording.give(level, level, 0);
        }
        if (sharesLmHead()) {
            DraftHeads.Head first = heads.heads().get(0);
            program.draftLevels(tree, nodes, headRows);
            recording.lmHead(0, headRows, vectors, first.lmHead(), null);
            for (int level = 0; level < levels; level++) {
                recording.give(level, 0, level);
            }
        }
    }

    /** What blocks take turns with: one that works in place has its threads wait for each other once more. */
    private Buffer turns() {
        return scratch("turns", levelRows.maxRows(), config.hidden());
    }

    /**
     * Blocks of a head from {@code inputs}, through {@code between} and {@link #turns} by turns, into a group of rows of
     * {@code out}, which may be {@code between}.
     */
    private void recordBlocks(
            Program program, List<DraftHeads.Block> blocks, Buffer inputs, Buffer between, Buffer out, int group) {
        Buffer x = inputs;
        for (int i = 0; i < blocks.size(); i++) {
            DraftHeads.Block block = blocks.get(i);
            boolean last = i == blocks.size() - 1;
            boolean odd = (blocks.size() - 1 - i) % 2 != 0;
            Buffer target = last ? out : odd ? turns() : between;
            program.block(
                    levelRows,
                    x,
                    block.linear(),
                    block.linearBias(),
                    block.skip(),
                    block.skipBias(),
                    last ? group : 0,
                    target);
            x = target;
        }
    }

    @Override
    public void close() {
        owned.close();
    }
}
