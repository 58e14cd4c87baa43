package io.hydra4j.decode;

import io.hydra4j.heads.Draft;
import io.hydra4j.heads.Drafter;
import io.hydra4j.model.DecoderModel;
import io.hydra4j.model.KvPages;
import io.hydra4j.model.PassBuffers;
import io.hydra4j.runtime.Batch;
import io.hydra4j.runtime.Buffer;
import io.hydra4j.runtime.PassRows;
import io.hydra4j.runtime.Program;
import io.hydra4j.runtime.Resources;
import io.hydra4j.runtime.Stream;
import io.hydra4j.runtime.TopK;
import io.hydra4j.runtime.TreeTopology;

/**
 * What the passes of a session work on, and the parts of which their programs are recorded. When the draft commits what a step
 * leaves is up to the session. Not thread-safe.
 */
final class Passes implements AutoCloseable {
    private final DecoderModel model;
    private final int vocabulary;
    private final Resources owned = new Resources("session");
    private final KvPages.Lease pages;
    private final Stream stream;
    private final Batch batch;
    private final PassRows promptRows;
    private final PassRows nodes;
    private final TreeTopology topology;
    private final Draft draft;
    private final PassBuffers buffers;
    private final Buffer logits;
    private final TopK best;
    private final TopK lastBest;
    private final Buffer selection;
    private Tree expanded;

    /**
     * @param drafter null for plain decoding
     * @param size sequences
     * @param chunk most rows of a pass over prompts
     * @param keepLogits of the nodes of a step
     */
    Passes(DecoderModel model, Drafter drafter, SessionLimits limits, int size, int chunk, boolean keepLogits) {
        this.model = model;
        vocabulary = limits.vocabulary();
        try {
            pages = owned.own(model.pages().lease()); // closed last: what runs uses them
            stream = owned.own(Stream.create(model.backend()));
            batch = owned.own(Batch.create(model.backend(), size, model.pagesPerSession()));
            promptRows = owned.own(PassRows.create(batch, chunk));
            nodes = owned.own(PassRows.create(batch, size * limits.nodes()));
            topology = owned.own(TreeTopology.create(batch));
            draft = drafter == null
                    ? null
                    : owned.own(
                            drafter.open(new Drafter.Loop(model, batch, limits.candidates(), limits.nodes(), chunk)));
            buffers = owned.own(PassBuffers.create(model.backend(), model.config(), Math.max(chunk, nodes.maxRows())));
            logits = keepLogits ? owned.own(Buffer.floats(model.backend(), (long) nodes.maxRows() * vocabulary)) : null;
            best = owned.own(TopK.create(model.backend(), 1, nodes.maxRows()));
            lastBest = owned.own(TopK.create(model.backend(), 1, size));
            selection = owned.own(Buffer.ints(model.backend(), Math.max(chunk, nodes.maxRows())));
            nodes.limit(limits.maxPositions());
        } catch (RuntimeException | Error e) {
            owned.close();
            throw e;
        }
    }

    /** What the sequences take their KV pages from; closed with the passes. */
    KvPages.Lease pages() {
        return pages;
    }

    /** Lets something follow when the passes are closed, or lost. */
    void whenClosed(Runnable ended) {
        owned.ownLast(ended::run);
    }

    Batch batch() {
        return batch;
    }

    /** The rows of a pass over prompts. */
    PassRows promptRows() {
        return promptRows;
    }

    /** The nodes of a step's trees. */
    PassRows nodes() {
        return nodes;
    }

    /** Null for plain decoding. */
    Draft draft() {
        return draft;
    }

    /** {@code float[rows][hidden]}: the hidden states of the last pass. */
    Buffer hidden() {
        return buffers.hidden();
    }

    /** An empty program. */
    Program program() {
        return owned.own(Program.create(stream));
    }

    /**
     * Records a pass over chunks of prompts, and that the draft commits it.
     *
     * @param last whether the sequences' roots are wanted
     * @param keepLogits of all rows, of which there are no more than nodes then
     */
    Program chunk(boolean last, boolean keepLogits) {
        Program program = program();
        model.recordForward(program, promptRows, buffers);
        if (keepLogits) {
            model.recordLmHead(program, promptRows, false, buffers, best, logits);
        }
        if (last) {
            model.recordLmHead(program, promptRows, true, buffers, lastBest, null);
            program.select(promptRows, lastBest, selection);
        }
        program.commit(
                null,
                promptRows,
                last ? selection : null,
                null,
                buffers.hidden(),
                model.config().hidden(),
                draft == null ? null : draft.promptRows(),
                draft == null ? null : draft.uncommitted(),
                false);
        if (draft != null) {
            draft.recordCommit(program, draft.promptRows());
        }
        return program;
    }

    /** A program that begins a step: the trees are expanded. */
    Program step() {
        Program program = program();
        program.expand(topology, null, nodes);
        return program;
    }

    /** Records the guesses for expanded trees. */
    void recordDraft(Program program) {
        draft.recordDraft(program, topology, nodes);
    }

    /** Records verification and acceptance, with a mark before each. What is accepted waits for the draft to commit it. */
    void recordVerify(Program program, boolean append) {
        program.mark();
        model.recordForward(program, nodes, buffers);
        model.recordLmHead(program, nodes, true, buffers, best, logits);
        program.select(nodes, best, selection);
        program.mark();
        program.judge(topology, nodes, selection);
        program.commit(
                topology,
                nodes,
                selection,
                model.pool(),
                buffers.hidden(),
                model.config().hidden(),
                draft == null ? null : draft.uncommittedRows(),
                draft == null ? null : draft.uncommitted(),
                append);
    }

    /** Sets the tree that steps expand from now on. */
    void use(Tree tree) {
        if (tree != expanded) {
            topology.set(TreeTopology.ALL, tree.parents(), tree.ranks());
            expanded = tree;
        }
    }

    /** The tree that steps expand, null at first. */
    Tree expanded() {
        return expanded;
    }

    /**
     * @param options the class whose {@code withLogits} the user should call
     * @throws IllegalStateException where no logits are kept
     */
    void requireLogits(Class<?> options) {
        if (logits == null) {
            throw new IllegalStateException(
                    "this session does not keep logits: make it with " + options.getSimpleName() + ".withLogits()");
        }
    }

    /** {@code [vocabulary]}: those of a row of the last pass, where they are kept. */
    float[] logits(long row) {
        return logits.readFloats(row * vocabulary, vocabulary);
    }

    @Override
    public void close() {
        owned.close();
    }
}
