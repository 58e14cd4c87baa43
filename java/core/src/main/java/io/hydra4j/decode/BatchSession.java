package io.hydra4j.decode;

import io.hydra4j.heads.Drafter;
import io.hydra4j.model.DecoderModel;
import io.hydra4j.model.PassBuffers;
import io.hydra4j.runtime.Program;
import java.util.Arrays;
import java.util.Map;

/**
 * Several sequences of one model decoded side by side, for servers: a pass reads the weights once for all of them. Sequences are
 * numbered from 0 and join and leave as they like: {@link #prefill} gives one a prompt, from then on it takes part in every
 * {@link #step}, until it is paused or cleared.
 *
 * <p>Each sequence's tokens, paths and logits are those of a {@link Session} of its own, to the bit, whatever is decoded beside
 * it, except that the tree of a step is cut to the depth for which all sequences that take part have room.
 *
 * <p>A call that is refused changes nothing. Not thread-safe: use it from one thread at a time. Sessions of one model may run in
 * several threads, on CUDA at the same time.
 */
public final class BatchSession implements AutoCloseable {
    private static final int NONE = -1;

    private final SessionLimits limits;
    private final Passes passes;
    private final Sequence[] sequences;
    private final int[] pausedRoots;
    private final int[] logitRows;
    private final Program chunk;
    private final Program lastChunk;
    private final Program plainStep;
    private final Program draftStep;
    private final Recorder recorder = new Recorder();
    private final Runnable requireModel;

    private Tree tree;
    private boolean closed;

    /**
     * Empty sequences for plain decoding.
     *
     * @throws IllegalArgumentException if options do not fit the model
     * @throws io.hydra4j.ResourceExhaustedException if memory is short
     */
    public BatchSession(DecoderModel model, BatchOptions options) {
        this(model, null, options);
    }

    /**
     * Empty sequences that draft.
     *
     * @param drafter draft heads loaded for this model, or another drafter; null for plain decoding
     * @throws IllegalArgumentException if the tree does not fit the drafter, or options do not fit the model
     * @throws io.hydra4j.ResourceExhaustedException if memory is short
     */
    public BatchSession(DecoderModel model, Drafter drafter, BatchOptions options) {
        this(model, drafter, options, () -> {}, () -> {});
    }

    /**
     * For a model that counts its sessions.
     *
     * @param requireModel throws where the model is closed
     * @param ended called once, after the session has released what it holds
     */
    @SuppressWarnings("exports") // made by HydraModel alone
    public BatchSession(
            DecoderModel model, Drafter drafter, BatchOptions options, Runnable requireModel, Runnable ended) {
        this.requireModel = requireModel;
        limits = SessionLimits.of(model, drafter, options.maxPositions(), options.candidates(), options.nodes());
        setTree(options.tree());
        int size = options.size();
        int rows = options.chunk() == 0
                ? PassBuffers.promptRows(model.backend(), (long) size * limits.maxPositions())
                : options.chunk();
        passes = new Passes(model, drafter, limits, size, rows, options.keepLogits());
        sequences = new Sequence[size];
        Arrays.setAll(sequences, s -> new Sequence(passes.pages(), passes.batch(), s));
        pausedRoots = new int[size];
        logitRows = new int[size];
        Arrays.fill(pausedRoots, NONE);
        Arrays.fill(logitRows, NONE);
        try {
            chunk = passes.chunk(false, false);
            lastChunk = passes.chunk(true, false);
            plainStep = recordStep(false);
            draftStep = drafter == null || limits.nodes() == 1 ? plainStep : recordStep(true);
            passes.whenClosed(ended);
        } catch (RuntimeException | Error e) {
            passes.close();
            throw e;
        }
    }

    /**
     * Unlike in a {@link Session} the draft commits what a step leaves as the step ends: pausing, clearing or giving a prompt
     * to one sequence voids all rows of the batch, and none may be waiting then.
     */
    private Program recordStep(boolean draft) {
        Program program = passes.step();
        if (draft) {
            passes.recordDraft(program);
        }
        passes.recordVerify(program, false);
        program.mark();
        if (passes.draft() != null) {
            passes.draft().recordCommit(program, passes.draft().uncommittedRows());
        }
        return program;
    }

    /**
     * Sets the tree of the steps that follow.
     *
     * @throws IllegalArgumentException if it has more than the root and there is no drafter, is deeper than the drafter reaches, or asks for
     *     more candidates or nodes than the session was made for
     */
    public void setTree(Tree tree) {
        limits.require(tree);
        this.tree = tree;
    }

    /** The tree of the steps that follow. */
    public Tree tree() {
        return tree;
    }

    /** Number of sequences. */
    public int size() {
        return sequences.length;
    }

    /** Appends tokens to one sequence; as {@link #prefill(Map)}. */
    public void prefill(int sequence, int... ids) {
        prefill(Map.of(sequence, ids));
    }

    /**
     * Appends tokens to some sequences: prompts, or more of conversations. They share passes of at most
     * {@link BatchOptions#chunk} tokens, in the order of the map. A root that was waiting is dropped for the first of them.
     * Afterwards {@link #root} is the base model's next token of each, and they take part in steps, also those that were paused.
     *
     * @param prompts token ids by sequence, at least one for each
     * @throws ContextFullException if those of a sequence do not fit
     * @throws io.hydra4j.KvPagesExhaustedException if there are not enough KV pages for all of them
     * @throws IllegalArgumentException if there is no prompt, no such sequence, or an id is outside the vocabulary
     */
    public void prefill(Map<Integer, int[]> prompts) {
        requireOpen();
        if (prompts.isEmpty()) {
            throw new IllegalArgumentException("no prompts: give one at least");
        }
        int[] lengths = new int[size()];
        prompts.forEach((sequence, ids) -> {
            int length = length(sequence);
            limits.require(ids);
            if (ids.length > limits.maxPositions() - length) {
                throw new ContextFullException(sequence, length, ids.length, limits.maxPositions());
            }
            lengths[sequence] = length + ids.length;
        });
        reserve(lengths);
        prompts.keySet().forEach(sequence -> pausedRoots[sequence] = NONE);
        int[] order = prompts.keySet().stream().mapToInt(Integer::intValue).toArray();
        int[][] ids = prompts.values().toArray(int[][]::new);
        int[] done = new int[order.length];
        for (int first = 0; first < order.length; ) {
            first = pass(order, ids, done, first);
        }
    }

    /**
     * One pass over the next tokens of prompts.
     *
     * @param done how many tokens of each were taken in before; becomes how many are now
     * @param first the first prompt of which some are left
     * @return the same after the pass
     */
    private int pass(int[] order, int[][] ids, int[] done, int first) {
        int[] counts = new int[order.length - first];
        int[] tokens = new int[passes.promptRows().maxRows()];
        int rows = 0;
        int end = first;
        while (end < order.length && rows < tokens.length) {
            int count = Math.min(ids[end].length - done[end], tokens.length - rows);
            System.arraycopy(ids[end], done[end], tokens, rows, count);
            sequences[order[end]].append(
                    ids[end], done[end], count, passes.batch().length(order[end]));
            done[end] += count;
            counts[end - first] = count;
            rows += count;
            end++;
        }
        passes.promptRows()
                .setChains(
                        Arrays.copyOfRange(order, first, end),
                        Arrays.copyOf(counts, end - first),
                        Arrays.copyOf(tokens, rows));
        // The last of them may go on in the next pass; its root is no matter until then.
        Program program = done[first] == ids[first].length ? lastChunk : chunk;
        program.run();
        recorder.prefilled(rows, program);
        return done[end - 1] == ids[end - 1].length ? end : end - 1;
    }

    /**
     * One step of all sequences that take part: draft, verify, accept.
     *
     * @return {@code [size]} the emitted tokens and the path taken of each sequence; null where one took no part, as it has no
     *     prompt or is paused
     * @throws ContextFullException if not even the root of a sequence fits
     * @throws io.hydra4j.KvPagesExhaustedException if there are not enough KV pages for all of them
     * @throws IllegalStateException if no sequence would take part
     */
    public Step[] step() {
        requireOpen();
        int room = Integer.MAX_VALUE;
        for (int s = 0; s < size(); s++) {
            if (takesPart(s)) {
                room = Math.min(room, room(s));
                if (room < 1) {
                    throw new ContextFullException(s, length(s), 1, limits.maxPositions());
                }
            }
        }
        if (room == Integer.MAX_VALUE) {
            throw new IllegalStateException("a step without a sequence: call prefill or resume first");
        }
        Tree now = tree.truncated(room - 1);
        int[] lengths = new int[size()];
        for (int s = 0; s < size(); s++) {
            lengths[s] = takesPart(s) ? length(s) + now.nodes() : 0;
        }
        reserve(lengths);
        passes.use(now);
        Program program = now.nodes() > 1 ? draftStep : plainStep;
        program.run();
        recorder.passed(program, now.nodes() > 1);
        Step[] steps = new Step[size()];
        int row = 0;
        for (int s = 0; s < size(); s++) {
            logitRows[s] = NONE;
            if (lengths[s] > 0) {
                steps[s] = sequences[s].step();
                recorder.stepped(now, steps[s].tokens().length);
                logitRows[s] = row;
                row += now.nodes();
            }
        }
        return steps;
    }

    /** Takes pages for so many positions of each sequence, all that are missing or none. */
    private void reserve(int[] lengths) {
        int missing = 0;
        for (int s = 0; s < size(); s++) {
            missing += sequences[s].missingPages(lengths[s]);
        }
        int[] taken = passes.pages().take(missing);
        int used = 0;
        for (int s = 0; s < size(); s++) {
            int count = sequences[s].missingPages(lengths[s]);
            sequences[s].addPages(taken, used, count);
            used += count;
        }
    }

    /**
     * Leaves a sequence out of the steps that follow, until it is resumed or gets more of a prompt; it keeps all it has. One that
     * is paused stays so.
     *
     * @throws IllegalArgumentException if there is no such sequence
     * @throws IllegalStateException if it has no prompt yet
     */
    public void pause(int sequence) {
        requireOpen();
        int root = root(sequence);
        if (root < 0) {
            throw new IllegalStateException("sequence " + sequence + " has no prompt yet: call prefill first");
        }
        if (pausedRoots[sequence] == NONE) {
            passes.batch().rewind(sequence, length(sequence), NONE);
            pausedRoots[sequence] = root;
        }
    }

    /**
     * Lets a paused sequence take part in steps again; another one stays as it is.
     *
     * @throws IllegalArgumentException if there is no such sequence
     */
    public void resume(int sequence) {
        requireOpen();
        int root = root(sequence);
        if (pausedRoots[sequence] != NONE) {
            passes.batch().rewind(sequence, length(sequence), root);
            pausedRoots[sequence] = NONE;
        }
    }

    /**
     * Goes back to a shorter length of a sequence; it keeps its pages and takes part in steps again after a {@link #prefill} with
     * the tokens after that length.
     *
     * @param length 0 to {@link #length}
     * @throws IllegalArgumentException if there is no such sequence, or the length is out of range
     */
    public void rewind(int sequence, int length) {
        requireOpen();
        if (length < 0 || length > length(sequence)) {
            throw new IllegalArgumentException("sequence " + sequence + " cannot go back to a length of " + length
                    + ": must be from 0 to the present " + length(sequence));
        }
        passes.batch().rewind(sequence, length, NONE);
        pausedRoots[sequence] = NONE;
    }

    /**
     * Makes a sequence empty and releases its pages, so that it can serve another text.
     *
     * @throws IllegalArgumentException if there is no such sequence
     */
    public void clear(int sequence) {
        requireOpen();
        requireSequence(sequence);
        sequences[sequence].clear();
        pausedRoots[sequence] = NONE;
    }

    /** Whether a sequence takes part in the next step: it has a prompt and is not paused. */
    public boolean takesPart(int sequence) {
        requireSequence(sequence);
        return passes.batch().root(sequence) >= 0;
    }

    /** Verified positions of a sequence: tokens of the prompt and emitted ones. */
    public int length(int sequence) {
        requireSequence(sequence);
        return passes.batch().length(sequence);
    }

    /** The base model's next token of a sequence, which its next step will emit first; -1 before any prompt. */
    public int root(int sequence) {
        requireSequence(sequence);
        return pausedRoots[sequence] == NONE ? passes.batch().root(sequence) : pausedRoots[sequence];
    }

    /** Positions that still fit into a sequence. */
    public int room(int sequence) {
        return limits.maxPositions() - length(sequence);
    }

    /** The verified tokens of a sequence, {@code [length]}. A copy. */
    public int[] tokens(int sequence) {
        requireSequence(sequence);
        return sequences[sequence].tokens();
    }

    /**
     * Logits of a tree node of the last step.
     *
     * @param node 0 to {@link Step#nodes} - 1 of the sequence's step
     * @return {@code [vocabulary]}
     * @throws IllegalStateException without {@link BatchOptions#withLogits}
     * @throws IllegalArgumentException if the sequence took no part in the last step, or there
     *     is no such node
     */
    public float[] logits(int sequence, int node) {
        requireSequence(sequence);
        passes.requireLogits(BatchOptions.class);
        if (logitRows[sequence] == NONE || node < 0 || node >= passes.expanded().nodes()) {
            throw new IllegalArgumentException("the last step has no node " + node + " of sequence " + sequence);
        }
        return passes.logits(logitRows[sequence] + node);
    }

    /** What this session did for all sequences since it was made or {@link #resetStatistics} was called. */
    public SessionStatistics statistics() {
        return recorder.statistics();
    }

    /** Begins the statistics anew. */
    public void resetStatistics() {
        recorder.reset();
    }

    private void requireSequence(int sequence) {
        if (sequence < 0 || sequence >= size()) {
            throw new IllegalArgumentException("sequence is " + sequence + ", must be from 0 to " + (size() - 1));
        }
    }

    private void requireOpen() {
        if (closed) {
            throw new IllegalStateException("the session is closed");
        }
        requireModel.run();
    }

    /** Frees the session's memory and pages. Idempotent. */
    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        passes.close();
    }
}
