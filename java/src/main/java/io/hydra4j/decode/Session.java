package io.hydra4j.decode;

import io.hydra4j.HydraException;
import io.hydra4j.heads.DraftHeads;
import io.hydra4j.heads.Drafter;
import io.hydra4j.model.LlamaBuffers;
import io.hydra4j.model.LlamaModel;
import io.hydra4j.runtime.Buffer;
import io.hydra4j.runtime.KvPool;
import io.hydra4j.runtime.Program;
import io.hydra4j.runtime.Resources;
import io.hydra4j.runtime.Rows;
import io.hydra4j.runtime.Sequence;
import io.hydra4j.runtime.Stream;
import io.hydra4j.runtime.Top;
import io.hydra4j.runtime.TreeState;
import java.util.Arrays;

/**
 * One sequence being decoded, step by step: the level at which loops with their own scheduling work.
 *
 * <p>{@link #prefill} takes prompt tokens in. Each {@link #step} then drafts a tree below the root (the base model's own next
 * token), verifies all of its nodes in one pass of the base model, and emits the root and the longest path on which every
 * token is the base's arg-max at its parent. The emitted tokens are those of plain greedy decoding, and every logit row used
 * is equal to plain decoding's to the bit, whatever the tree: a row's result depends on nothing that is computed beside it.
 *
 * <p>Programs are recorded when a session is made; a step is one call of the native side. A session is not thread-safe:
 * use it from one thread at a time. Sessions of one model may run in several threads, on CUDA at the same time.
 */
public final class Session implements AutoCloseable {
    private final LlamaModel model;
    private final Drafter drafter;
    private final int maxPositions;
    private final int candidates;
    private final Resources owned = new Resources();
    private final Stream stream;
    private final Sequence sequence;
    private final Rows rows;
    private final TreeState treeState;
    private final Buffer logits;
    private final Program chunk;
    private final Program lastChunk;
    private final Program absorb;
    private final Program plainStep;
    private final Program appendStep;
    private final Program draftStep;
    private final Recorder recorder = new Recorder();

    private int[] pages = {};
    private int[] tokens = new int[256];
    private Tree tree;
    private Tree planted;
    // Positions that the prefix layer has taken in; the rest up to length() wait in the drafter's pending rows.
    private int absorbed;
    private boolean closed;

    /**
     * A session for plain decoding.
     *
     * @throws HydraException if options do not fit the model or memory is short
     */
    public Session(LlamaModel model, SessionOptions options) {
        this(model, null, options);
    }

    /**
     * A session that drafts with heads.
     *
     * @param heads heads loaded for this model, or null for plain decoding
     * @throws HydraException if the tree does not fit the heads, options do not fit the model, or memory is short
     */
    public Session(LlamaModel model, DraftHeads heads, SessionOptions options) {
        this.model = model;
        int context = model.config().context();
        if (options.maxPositions() < 0 || options.maxPositions() > context) {
            throw new HydraException("maxPositions is " + options.maxPositions()
                    + ", must be from 0 (all) to the model's " + "context of " + context);
        }
        if (options.candidates() < 1 || options.candidates() > Tree.MAX_RANKS) {
            throw new HydraException("candidates is " + options.candidates() + ", must be from 1 to " + Tree.MAX_RANKS);
        }
        if (heads != null && heads.base() != model) {
            throw new HydraException("the heads were loaded for another model: load them for this one");
        }
        maxPositions = options.maxPositions() == 0 ? context : options.maxPositions();
        candidates = options.candidates();
        try {
            stream = owned.own(Stream.create(model.backend()));
            sequence = owned.own(Sequence.create(model.backend(), model.pagesPerSession()));
            rows = owned.own(Rows.create(sequence));
            treeState = owned.own(TreeState.create(model.backend()));
            drafter = heads == null ? null : owned.own(new Drafter(heads, sequence, candidates));
            LlamaBuffers buffers = owned.own(LlamaBuffers.create(model.backend(), model.config()));
            logits = options.keepLogits()
                    ? owned.own(
                            LlamaBuffers.rows(model.backend(), model.config().vocabulary()))
                    : null;
            Top best = owned.own(Top.create(model.backend(), 1));
            chunk = recordChunk(buffers, best, false);
            lastChunk = recordChunk(buffers, best, true);
            plainStep = recordStep(buffers, best, false, false);
            appendStep = drafter == null ? plainStep : recordStep(buffers, best, false, true);
            draftStep = drafter == null ? plainStep : recordStep(buffers, best, true, false);
            absorb = drafter == null || !drafter.keepsState() ? null : owned.own(Program.create(stream));
            if (absorb != null) {
                drafter.recordAbsorb(absorb);
            }
            setTree(options.tree());
        } catch (RuntimeException | Error e) {
            close();
            throw e;
        }
    }

    private Program recordChunk(LlamaBuffers buffers, Top best, boolean last) {
        Program program = owned.own(Program.create(stream));
        model.recordForward(program, rows, buffers);
        if (last || logits != null) {
            model.recordLmHead(program, rows, logits == null, buffers, best, logits);
        }
        // With logits for all rows the last row's arg-max is not row 0: ask for it again.
        if (last && logits != null) {
            model.recordLmHead(program, rows, true, buffers, best, null);
        }
        program.advance(
                rows,
                last ? best : null,
                buffers.hidden(),
                drafter == null ? null : drafter.pendingRows(),
                drafter == null ? null : drafter.pending());
        return program;
    }

    private Program recordStep(LlamaBuffers buffers, Top best, boolean draft, boolean append) {
        Program program = owned.own(Program.create(stream));
        program.plant(treeState, rows);
        if (draft) {
            drafter.recordAbsorb(program);
            drafter.recordDraft(program, treeState, rows);
        }
        program.mark();
        model.recordForward(program, rows, buffers);
        model.recordLmHead(program, rows, false, buffers, best, logits);
        program.mark();
        program.accept(
                treeState,
                rows,
                best,
                model.pool(),
                buffers.hidden(),
                drafter == null ? null : drafter.pendingRows(),
                drafter == null ? null : drafter.pending(),
                append);
        return program;
    }

    /**
     * Sets the tree of the steps that follow.
     *
     * @throws HydraException if it has more than the root and there are no heads, is deeper than there are heads, or asks for
     *     more candidates than {@link SessionOptions#candidates}
     */
    public void setTree(Tree tree) {
        if (tree.nodes() > 1) {
            if (drafter == null) {
                throw new HydraException("a tree of " + tree.nodes()
                        + " nodes without draft heads: open heads, or use the " + "root alone");
            }
            if (tree.depth() > drafter.maxDepth()) {
                throw new HydraException("the tree is " + tree.depth() + " deep, there are only " + drafter.maxDepth()
                        + " draft heads: cut it to that depth");
            }
            if (tree.candidates() > candidates) {
                throw new HydraException("the tree asks for " + tree.candidates()
                        + " candidates, the session was made for " + candidates + ": raise that option");
            }
        }
        this.tree = tree;
    }

    /** The tree of the steps that follow. */
    public Tree tree() {
        return tree;
    }

    /**
     * Takes tokens in behind what is there: a prompt, or more of a conversation. A root that was waiting is dropped for the
     * first of them. Afterwards {@link #root} is the base model's next token.
     *
     * @param ids token ids, at least one
     * @throws ContextFullException if they do not fit
     * @throws HydraException if an id is outside the vocabulary
     */
    public void prefill(int... ids) {
        prefill(ids, null);
    }

    /**
     * As {@link #prefill(int...)}, and shows the logits of every prompt position.
     *
     * @param each called after each chunk with the index in {@code ids} of its first token and the number of its tokens;
     *     {@link #logits} then has a row for each of them. Needs {@link SessionOptions#keepLogits}
     */
    public void prefill(int[] ids, ChunkListener each) {
        requireOpen();
        if (ids.length == 0) {
            throw new HydraException("an empty prompt: give at least one token");
        }
        for (int i = 0; i < ids.length; i++) {
            if (ids[i] < 0 || ids[i] >= model.config().vocabulary()) {
                throw new HydraException("token " + ids[i] + " at index " + i + " is outside the vocabulary of "
                        + model.config().vocabulary());
            }
        }
        if (ids.length > maxPositions - length()) {
            throw new ContextFullException(length(), ids.length, maxPositions);
        }
        for (int from = 0; from < ids.length; from += Rows.MAX_ROWS) {
            int count = Math.min(Rows.MAX_ROWS, ids.length - from);
            int[] part = Arrays.copyOfRange(ids, from, from + count);
            reserve(length() + count);
            absorb();
            remember(part, length());
            rows.setChain(part);
            Program program = from + count == ids.length ? lastChunk : chunk;
            program.run();
            recorder.prefilled(count, program);
            if (each != null) {
                each.chunk(from, count);
            }
        }
    }

    /** Takes the waiting hidden states into the prefix layer before others overwrite them. */
    private void absorb() {
        if (absorb != null) {
            absorb.run();
        }
        absorbed = length();
    }

    /** Sees the logits of a prompt, chunk by chunk. */
    @FunctionalInterface
    public interface ChunkListener {
        /** Rows 0 to {@code count - 1} of {@link Session#logits} belong to tokens {@code first} on. */
        void chunk(int first, int count);
    }

    /**
     * One step: draft, verify, accept.
     *
     * @return the emitted tokens and the path taken
     * @throws ContextFullException if not even the root fits
     * @throws HydraException if no prompt was taken in before
     */
    public Step step() {
        requireOpen();
        if (sequence.root() < 0) {
            throw new HydraException("a step before any prompt: call prefill first");
        }
        int room = maxPositions - length();
        if (room < 1) {
            throw new ContextFullException(length(), 1, maxPositions);
        }
        Tree now = tree.truncated(room - 1);
        reserve(length() + now.nodes());
        if (now != planted) {
            treeState.set(now.parents(), now.ranks());
            planted = now;
        }
        Program program = now.nodes() > 1 ? draftStep : plainStep();
        int before = length();
        program.run();
        int emitted = sequence.emitted();
        int[] ids = new int[emitted];
        int[] path = new int[emitted];
        for (int i = 0; i < emitted; i++) {
            ids[i] = sequence.token(i);
            path[i] = sequence.pathNode(i);
        }
        remember(ids, before);
        if (now.nodes() > 1) {
            absorbed = before;
        }
        recorder.stepped(now, emitted, program);
        return new Step(ids, path, now.nodes());
    }

    /** A step without a draft lets its hidden state wait behind the others, until so many wait that they are taken in together. */
    private Program plainStep() {
        if (absorb == null || length() - absorbed < Rows.MAX_ROWS) {
            return appendStep;
        }
        absorb();
        return plainStep;
    }

    /**
     * Goes back to a shorter length, at most that; what the prefix layer has not taken in yet is dropped with it. The next
     * call must be {@link #prefill} with the tokens behind the length that is returned.
     *
     * @param length 0 to {@link #length}
     * @return the length now
     * @throws HydraException if the length is out of range
     */
    public int rewind(int length) {
        requireOpen();
        if (length < 0 || length > length()) {
            throw new HydraException(
                    "cannot go back to a length of " + length + ": must be from 0 to the present " + length());
        }
        int kept = absorb == null ? length : Math.min(length, absorbed);
        sequence.rewind(kept, -1);
        absorbed = kept;
        return kept;
    }

    /** Verified positions: tokens of the prompt and emitted ones. */
    public int length() {
        return sequence.length();
    }

    /** The base model's next token, which the next step will emit first; -1 before any prompt. */
    public int root() {
        return sequence.root();
    }

    /** Positions that still fit. */
    public int room() {
        return maxPositions - length();
    }

    /** The verified tokens, {@code [length]}. A copy. */
    public int[] tokens() {
        return Arrays.copyOf(tokens, length());
    }

    /** Tokens of all nodes of the last step's tree, {@code [nodes]}. */
    public int[] nodeTokens() {
        return rows.tokens();
    }

    /** The drafter of this session, or null: for tests and tools that look at candidates. */
    public Drafter drafter() {
        return drafter;
    }

    /**
     * Logits of one row of the last pass: a tree node of a step, or a token of the last chunk of a prompt.
     *
     * @return {@code [vocabulary]}
     * @throws HydraException without {@link SessionOptions#keepLogits}
     */
    public float[] logits(int row) {
        if (logits == null) {
            throw new HydraException("this session does not keep logits: make it with SessionOptions.withLogits()");
        }
        int vocabulary = model.config().vocabulary();
        return logits.readFloats((long) row * vocabulary, vocabulary);
    }

    /** What this session did since it was made or {@link #resetStatistics} was called. */
    public SessionStatistics statistics() {
        return recorder.statistics();
    }

    /** Begins the statistics anew. */
    public void resetStatistics() {
        recorder.reset();
    }

    private void reserve(int positions) {
        int needed = (positions + KvPool.PAGE_POSITIONS - 1) / KvPool.PAGE_POSITIONS;
        if (needed <= pages.length) {
            return;
        }
        int have = pages.length;
        int[] grown = Arrays.copyOf(pages, needed);
        for (int i = have; i < needed; i++) {
            grown[i] = model.pages().take();
            pages = Arrays.copyOf(grown, i + 1);
        }
        sequence.setPages(pages);
    }

    private void remember(int[] ids, int at) {
        if (at + ids.length > tokens.length) {
            tokens = Arrays.copyOf(tokens, Math.max(at + ids.length, tokens.length * 2));
        }
        System.arraycopy(ids, 0, tokens, at, ids.length);
    }

    private void requireOpen() {
        if (closed) {
            throw new IllegalStateException("the session is closed");
        }
    }

    /** Frees the session's memory and pages. Idempotent. */
    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        owned.close();
        model.pages().giveBack(pages);
    }

    /** Adds up statistics. */
    private static final class Recorder {
        private long promptTokens;
        private long tokens;
        private long steps;
        private long nodes;
        private final long[] accepted = new long[Tree.MAX_NODES];
        private final long[] drafted = new long[Tree.MAX_NODES];
        private long prefillNanos;
        private long draftNanos;
        private long verifyNanos;
        private long acceptNanos;
        private int depth;

        void prefilled(int count, Program program) {
            promptTokens += count;
            prefillNanos += program.nanos(0, program.marks() - 1);
        }

        void stepped(Tree tree, int emitted, Program program) {
            tokens += emitted;
            steps++;
            nodes += tree.nodes();
            for (int d = 0; d < emitted; d++) {
                accepted[d]++;
            }
            for (int d = 0; d <= tree.depth(); d++) {
                drafted[d]++;
            }
            depth = Math.max(depth, tree.depth());
            draftNanos += program.nanos(0, 1);
            verifyNanos += program.nanos(1, 2);
            acceptNanos += program.nanos(2, 3);
        }

        SessionStatistics statistics() {
            return new SessionStatistics(
                    promptTokens,
                    tokens,
                    steps,
                    nodes,
                    Arrays.copyOf(accepted, depth + 1),
                    Arrays.copyOf(drafted, depth + 1),
                    prefillNanos,
                    draftNanos,
                    verifyNanos,
                    acceptNanos);
        }

        void reset() {
            promptTokens = 0;
            tokens = 0;
            steps = 0;
            nodes = 0;
            Arrays.fill(accepted, 0);
            Arrays.fill(drafted, 0);
            prefillNanos = 0;
            draftNanos = 0;
            verifyNanos = 0;
            acceptNanos = 0;
            depth = 0;
        }
    }
}
