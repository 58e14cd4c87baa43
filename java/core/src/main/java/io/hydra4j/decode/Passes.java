package io.hydra4j.decode;

import io.hydra4j.draft.Draft;
import io.hydra4j.draft.Drafter;
import io.hydra4j.model.DecoderModel;
import io.hydra4j.model.KvPages;
import io.hydra4j.model.PassBuffers;
import io.hydra4j.runtime.Batch;
import io.hydra4j.runtime.Buffer;
import io.hydra4j.runtime.PassRows;
import io.hydra4j.runtime.Program;
import io.hydra4j.runtime.Resources;
import io.hydra4j.runtime.Stream;
import io.hydra4j.runtime.TreeTopology;
import java.nio.IntBuffer;
import java.util.Arrays;
import java.util.function.Consumer;

/**
 * What the passes of a session work on, and the parts of which their programs are recorded. When the draft commits what a step
 * leaves is up to the session. Not thread-safe.
 */
final class Passes implements AutoCloseable {
    private final DecoderModel model;
    private final int vocabulary;
    private final Selector.Needs needs;
    private final Resources owned = new Resources("session");
    private final KvPages.Lease pages;
    private final Stream stream;
    private final Batch batch;
    private final PassRows promptRows;
    private final PassRows nodes;
    private final PassRows mixed;
    private final TreeTopology topology;
    private final Draft draft;
    private final boolean drafts;
    private final PassBuffers buffers;
    private final Selector selector;
    private final Tree[] trees;
    /** What is guessed on the host for dynamic trees: {@code [sequence][guess]}, and how many guesses. */
    private final int[][] chains;

    private final float[][] chances;
    private final int[] guesses;
    private final Enqueued enqueued;

    /**
     * @param drafter null for plain decoding
     * @param size sequences
     * @param promptRows most rows of a pass over prompts
     * @param needs what is asked of the selection of tokens
     * @param mixes whether there are passes over trees and prompts together
     */
    Passes(
            DecoderModel model,
            Drafter drafter,
            SessionLimits limits,
            int size,
            int promptRows,
            Selector.Needs needs,
            boolean mixes) {
        this.model = model;
        trees = new Tree[size];
        chains = new int[size][Tree.MAX_NODES];
        chances = new float[size][Tree.MAX_NODES];
        guesses = new int[size];
        this.needs = needs;
        vocabulary = limits.vocabulary();
        try {
            pages = owned.own(model.pages().lease()); // closed last: what runs uses them
            enqueued = owned.own(new Enqueued(pages)); // closed when the programs are, and have ended
            stream = owned.own(Stream.create(model.backend()));
            batch = owned.own(Batch.create(model.backend(), size, model.pagesPerSession()));
            this.promptRows = owned.own(PassRows.create(batch, promptRows));
            nodes = owned.own(PassRows.create(batch, size * limits.nodes()));
            mixed = mixes
                    ? owned.own(PassRows.create(batch, Math.min(PassRows.MAX_ROWS, nodes.maxRows() + promptRows)))
                    : nodes;
            topology = owned.own(TreeTopology.create(batch));
            int depth = drafter == null ? 0 : limits.deepest();
            int most = Math.max(promptRows, mixed.maxRows());
            selector = new Selector(owned, model, batch, needs, nodes.maxRows(), depth, most);
            // What a pass over prompts leaves to the draft, beside a path of each sequence where there are trees, too.
            int left = mixes ? Math.min(PassRows.MAX_ROWS, promptRows + size * (depth + 1)) : promptRows;
            draft = drafter == null
                    ? null
                    : owned.own(drafter.open(new Drafter.Loop(
                            SessionLimits.facts(model),
                            batch,
                            limits.candidates(),
                            limits.nodes(),
                            left,
                            selector.sampling())));
            drafts = draft != null && limits.nodes() > 1;
            buffers = owned.own(PassBuffers.create(model.backend(), model.config(), most));
            nodes.limit(limits.maxPositions());
            mixed.limit(limits.maxPositions());
        } catch (RuntimeException | Error e) {
            Resources.closeAfter(e, owned);
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

    /** Trees and parts of prompts together, where there are such passes. */
    PassRows mixed() {
        return mixed;
    }

    /** What selects tokens. */
    Selector selector() {
        return selector;
    }

    /** Null for plain decoding. */
    Draft draft() {
        return draft;
    }

    /** Whether there may be guesses: there is a draft, and trees may have more than their roots. */
    boolean drafts() {
        return drafts;
    }

    /** {@code float[rows][hidden]}: the hidden states of the last pass. */
    Buffer hidden() {
        return buffers.hidden();
    }

    /** An empty program. */
    Program program() {
        return owned.own(create());
    }

    /** A program with what this records, made as a whole or not at all. */
    Program program(Consumer<Program> recording) {
        Program program = create();
        try {
            recording.accept(program);
        } catch (RuntimeException | Error e) {
            Resources.closeAfter(e, program);
            throw e;
        }
        return owned.own(program);
    }

    /** An empty program that is the caller's to close. */
    Program create() {
        return Program.create(stream);
    }

    /** Closes something before all that is there already. */
    void own(AutoCloseable resource) {
        owned.own(resource);
    }

    /** Runs a program; the session's pages stay taken until it has ended. */
    void run(Program program) {
        pages.run(program::run);
    }

    /** Enqueues a program; the session's pages stay taken until {@link #awaitFirst} has seen its end. */
    void enqueue(Program program) {
        enqueued.begin(program);
    }

    /** Awaits the first run of an enqueued program; where it fails, the one behind it has ended, too. */
    void awaitFirst(Program program) {
        enqueued.awaitFirst(program);
    }

    /** Runs that are enqueued, for which the pages are taken. It must not refer to the passes, with which it is closed when they are lost. */
    private static final class Enqueued implements AutoCloseable {
        private final KvPages.Lease pages;
        private int runs;

        Enqueued(KvPages.Lease pages) {
            this.pages = pages;
        }

        void begin(Program program) {
            pages.begin();
            runs++;
            try {
                program.enqueue();
            } catch (RuntimeException | Error e) {
                runs--;
                pages.end();
                throw e;
            }
        }

        void awaitFirst(Program program) {
            try {
                program.awaitFirst();
            } catch (RuntimeException | Error e) {
                close();
                throw e;
            }
            runs--;
            pages.end();
        }

        @Override
        public void close() {
            for (; runs > 0; runs--) {
                pages.end();
            }
        }
    }

    /**
     * Records a pass over parts of prompts, and that the draft commits it.
     *
     * @param last whether the sequences' roots are wanted
     * @param keepLogits of all rows, of which there are no more than nodes then
     */
    Program prefill(boolean last, boolean keepLogits) {
        Program program = program();
        if (last) {
            selector.recordPrepare(program, promptRows);
        }
        model.recordForward(program, promptRows, buffers);
        if (keepLogits) {
            selector.recordLogits(program, promptRows, buffers);
        }
        if (last) {
            selector.recordPrompts(program, promptRows, buffers);
        }
        program.commit(
                null,
                promptRows,
                last ? selector.selection() : null,
                null,
                buffers.hidden(),
                model.config().hidden(),
                draft == null ? null : draft.promptRows(),
                draft == null ? null : draft.uncommitted(),
                false,
                selector.sampling());
        if (draft != null && last) {
            draft.recordCommit(program, draft.promptRows());
        } else if (draft != null) {
            draft.recordCommitBeforeOthers(program, draft.promptRows());
        }
        return program;
    }

    /**
     * Records that the trees are expanded, with which a step begins.
     *
     * @param rows {@link #nodes}, or {@link #mixed} for trees and the parts of prompts in {@link #promptRows}
     */
    void recordExpand(Program program, PassRows rows) {
        program.expand(topology, rows == nodes ? null : promptRows, rows);
        selector.recordPrepare(program, rows);
    }

    /** Records the guesses for expanded trees. */
    void recordDraft(Program program, PassRows rows) {
        draft.recordDraft(program, topology, rows);
    }

    /** Records that expanded trees grow. */
    void recordGrowth(Program program, PassRows rows) {
        draft.recordGrowth(program, topology, rows == nodes ? null : promptRows, rows);
    }

    /** Records the forward pass, and that a token is selected at every node. */
    void recordVerify(Program program, PassRows rows) {
        model.recordForward(program, rows, buffers);
        selector.recordNodes(program, rows, buffers);
    }

    /** Records acceptance of the guesses. What is accepted waits in {@link #left} for the draft to commit it. */
    void recordAccept(Program program, PassRows rows, boolean append) {
        selector.recordJudge(program, topology, rows);
        program.commit(
                topology,
                rows,
                selector.selection(),
                model.pool(),
                buffers.hidden(),
                model.config().hidden(),
                draft == null ? null : left(rows),
                draft == null ? null : draft.uncommitted(),
                append,
                selector.sampling());
    }

    /** The draft's rows that a step of these rows leaves. */
    PassRows left(PassRows rows) {
        return rows == nodes ? draft.uncommittedRows() : draft.promptRows();
    }

    /** Sets the tree of a sequence that steps expand from now on. */
    void use(int sequence, Tree tree) {
        if (tree != trees[sequence]) {
            topology.set(sequence, tree.parents(), tree.ranks());
            trees[sequence] = tree;
        }
    }

    /** Levels of a dynamic tree that heads fill. */
    int levels(Tree dynamic) {
        return Math.min(dynamic.levels(), draft.levels());
    }

    /**
     * Guesses on the host how the text of a sequence goes on, for a dynamic tree.
     *
     * @param dynamic as large as there is room for
     * @param text the verified tokens and the root
     * @param depth the most guesses that are wanted
     * @return {@code [guesses]} how likely each is right where the one before it is
     */
    float[] guess(int sequence, Tree dynamic, IntBuffer text, int depth) {
        int most = Math.min(dynamic.nodes() - 1, depth);
        guesses[sequence] = most == 0 ? 0 : draft.propose(sequence, text, chains[sequence], chances[sequence], most);
        return Arrays.copyOf(chances[sequence], guesses[sequence]);
    }

    /**
     * Lets the tree of a sequence grow in the step that follows, from what {@link #guess} has guessed.
     *
     * @return the tree; the root alone where nothing guesses
     */
    Tree grow(int sequence, Tree dynamic) {
        int levels = levels(dynamic);
        if (dynamic.nodes() == 1 || levels == 0 && guesses[sequence] == 0) {
            use(sequence, Tree.ROOT);
            return Tree.ROOT;
        }
        trees[sequence] = null;
        topology.setGrowth(
                sequence,
                dynamic.nodes(),
                (float) dynamic.least(),
                levels,
                Math.max(1, dynamic.nodes() / 4),
                chains[sequence],
                chances[sequence],
                guesses[sequence]);
        return dynamic;
    }

    /** Sets the most nodes below their roots of all dynamic trees of a step. */
    void budget(int nodes) {
        topology.setBudget(nodes);
    }

    /** Sets the tree of all sequences. */
    void use(Tree tree) {
        topology.set(TreeTopology.ALL, tree.parents(), tree.ranks());
        Arrays.fill(trees, tree);
    }

    /**
     * @param options the class whose {@code withLogits} the user should call
     * @throws IllegalStateException where no logits are kept
     */
    void requireLogits(Class<?> options) {
        if (!needs.keepLogits()) {
            throw new IllegalStateException(
                    "this session does not keep logits: make it with " + options.getSimpleName() + ".withLogits()");
        }
    }

    /** {@code [vocabulary]}: those of a row of the last pass, where they are kept. */
    float[] logits(long row) {
        return selector.logits().readFloats(row * vocabulary, vocabulary);
    }

    @Override
    public void close() {
        owned.close();
    }
}
