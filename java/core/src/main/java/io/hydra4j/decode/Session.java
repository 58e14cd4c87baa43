package io.hydra4j.decode;

import io.hydra4j.decode.access.Sessions;
import io.hydra4j.draft.Draft;
import io.hydra4j.draft.Drafter;
import io.hydra4j.model.DecoderModel;
import io.hydra4j.model.PassBuffers;
import io.hydra4j.runtime.Buffer;
import io.hydra4j.runtime.PassRows;
import io.hydra4j.runtime.Program;
import io.hydra4j.runtime.Resources;
import java.util.Objects;
import java.util.function.BooleanSupplier;

/**
 * One sequence being decoded, step by step: the level at which loops with their own scheduling work.
 *
 * <p>{@link #prefill} takes prompt tokens in. Each {@link #step} then drafts a tree below the root (the base model's own next
 * token), verifies all of its nodes in one pass of the base model, and emits the root and the longest path on which every
 * token is the one selected at its parent: the base's arg-max, or with {@link SessionOptions#withSampling} a sample that depends on
 * seed and position alone. The emitted tokens are those of plain decoding, and every logit row used is equal to plain decoding's
 * to the bit, whatever the tree: a row's result depends on nothing that is computed beside it. With {@link Acceptance#typical} the
 * path is the longest one that is likely enough, and the text another.
 *
 * <p>Programs are recorded when a session is made; a step is one call of the native side. A session is not thread-safe:
 * use it from one thread at a time. Sessions of one model may run in several threads, on CUDA at the same time.
 */
public final class Session implements AutoCloseable {
    static {
        Sessions.handOver(Session::new, BatchSession::new);
    }

    private final SessionLimits limits;
    private final Passes passes;
    private final Sequence sequence;
    private final Program prefill;
    private final Program lastPrefill;
    private final Program commit;
    private final Program plainStep;
    private final Program appendStep;
    private final Program draftStep;
    /** Steps with a dynamic tree, recorded when the first one is made. */
    private Program growingStep;

    private final StatisticsCounter counter = new StatisticsCounter();
    private final Runnable requireModel;
    /** Null where steps do not tell log-probabilities. */
    private final RootLikelihoods roots;

    /** Whether the host reads more of a step than its tokens. */
    private final boolean readsBack;

    /** The steps that run ahead, the tree of each, and when the first of them began, by {@link System#nanoTime}; null for none. */
    private Program ahead;

    private Tree treeAhead;
    private long aheadSince;

    private StepParts parts;
    private StepPhase phase = StepPhase.READY;
    private Tree drafted;
    private int draftedNodes;
    private Drafting drafting;
    private Selected verified;
    private Tree tree;
    /** Null where dynamic trees grow as they are set. */
    private GrowthPolicy policy;
    /** Whether the policy has chosen for the present step, and how long that and guessing on the host took. */
    private boolean hasChosen;

    private long hostNanos;
    // Positions that the prefix layer has taken in; the rest up to length() wait in the draft's uncommitted rows for
    // the next step with a draft: what several plain steps leave is taken in at the price of one.
    private int committed;
    private boolean closed;

    /** As {@link Sessions.Constructor#make}. */
    Session(DecoderModel model, Drafter drafter, SessionOptions options, Runnable requireModel, Runnable ended) {
        this.requireModel = requireModel;
        limits = SessionLimits.of(model, drafter, options.maxPositions(), options.candidates(), Tree.MAX_NODES);
        boolean keepLogits = options.keepLogits();
        Selector.Needs needs = Selector.Needs.of(
                options.sampling(),
                options.logProbabilities(),
                keepLogits,
                drafter == null ? Acceptance.exact() : options.acceptance());
        roots = needs.tells() ? new RootLikelihoods(1, needs.logProbabilities()) : null;
        readsBack = keepLogits || needs.tells();
        int most = keepLogits ? Tree.MAX_NODES : PassBuffers.promptRows(model.backend(), limits.maxPositions());
        passes = new Passes(model, drafter, limits, 1, most, needs, false);
        sequence = new Sequence(passes.pages(), passes.batch(), 0);
        try {
            prefill = passes.prefill(false, keepLogits);
            lastPrefill = passes.prefill(true, keepLogits);
            plainStep = recordStep(Drafting.NONE, false);
            boolean needsHidden = draftState() != null && draftState().uncommittedRows() != null;
            appendStep = needsHidden ? recordStep(Drafting.NONE, true) : plainStep;
            draftStep = draftState() == null ? plainStep : recordStep(Drafting.FIXED, false);
            commit = draftState() != null && draftState().keepsState() ? passes.program() : null;
            if (commit != null) {
                draftState().recordCommitBeforeOthers(commit, draftState().uncommittedRows());
            }
            setTree(options.tree());
            if (options.maxPositions() > 0) {
                sequence.reserve(limits.slots(limits.maxPositions()));
            }
            passes.whenClosed(ended);
        } catch (RuntimeException | Error e) {
            Resources.closeAfter(e, passes);
            throw e;
        }
    }

    private Program recordStep(Drafting drafting, boolean append) {
        return passes.program(program -> record(program, drafting, append));
    }

    private void record(Program program, Drafting drafting, boolean append) {
        passes.recordExpand(program, passes.nodes());
        if (drafting != Drafting.NONE) {
            draftState().recordCommit(program, draftState().uncommittedRows());
        }
        switch (drafting) {
            case NONE -> {}
            case FIXED -> passes.recordDraft(program, passes.nodes());
            case GROWING -> passes.recordGrowth(program, passes.nodes());
        }
        program.mark();
        passes.recordVerify(program, passes.nodes());
        program.mark();
        passes.recordAccept(program, passes.nodes(), append);
    }

    private Program growingStep() {
        if (growingStep == null) {
            growingStep = recordStep(Drafting.GROWING, false);
        }
        return growingStep;
    }

    /**
     * Sets the tree of the steps that follow.
     *
     * @param tree {@link Tree#ROOT} for plain decoding
     * @throws IllegalArgumentException if it has more than the root and there is no drafter, is deeper than the drafter reaches, or asks for
     *     more candidates than {@link SessionOptions#candidates}
     * @throws IllegalStateException if a step in parts has begun
     */
    public void setTree(Tree tree) {
        phase.require(StepPhase.READY);
        limits.require(tree);
        this.tree = tree;
    }

    /** {@return the tree of the steps that follow} */
    public Tree tree() {
        return tree;
    }

    /**
     * Sets what chooses how dynamic trees grow in the steps that follow; what {@link #setTree} has set is the most that they may.
     *
     * @param policy this session's own; null where they are to grow as they are set
     * @throws IllegalStateException if a step in parts has begun
     */
    public void setGrowthPolicy(GrowthPolicy policy) {
        phase.require(StepPhase.READY);
        this.policy = policy;
    }

    /**
     * Sets how the tokens of the steps and prompts that follow are selected. A {@link #root} that is there was selected before, and
     * stays.
     *
     * @param sampling {@link Sampling#GREEDY} for the best tokens
     * @throws NullPointerException if it is null
     * @throws IllegalArgumentException if it has a bias for a token outside the vocabulary, or is not greedy in a session with {@link
     *     Acceptance#typical}
     * @throws IllegalStateException if the session was made without {@link SessionOptions#withSampling}, or a step in parts has begun
     */
    public void setSampling(Sampling sampling) {
        requireOpen();
        phase.require(StepPhase.READY);
        passes.selector().require(sampling, SessionOptions.class);
        passes.selector().use(0, sampling);
    }

    /** {@return how the tokens of the steps that follow are selected} */
    public Sampling sampling() {
        return passes.selector().sampling(0);
    }

    /**
     * Appends tokens to the sequence: a prompt, or more of a conversation. A root that was waiting is dropped for the first of
     * them. Afterwards {@link #root} is the base model's next token. Where it fails after the first of them, {@link #length} is what
     * it was before and there is no root: {@link #prefill} must follow, with the same tokens or others.
     *
     * @param ids token ids, at least one
     * @throws ContextFullException if they do not fit
     * @throws IllegalArgumentException if an id is outside the vocabulary
     */
    public void prefill(int... ids) {
        prefill(ids, null, () -> false);
    }

    /**
     * As {@link #prefill(int...)}, and shows the logits of every prompt position.
     *
     * @param ids token ids, at least one
     * @param each called after each pass with the index in {@code ids} of its first token and the number of its tokens;
     *     {@link #logits} then has a row for each of them. Needs {@link SessionOptions#keepLogits}
     */
    public void prefill(int[] ids, PrefillListener each) {
        prefill(ids, Objects.requireNonNull(each, "each is null: give a listener"), () -> false);
    }

    /**
     * As {@link #prefill(int...)}, in passes between which it may be cancelled.
     *
     * @param ids token ids, at least one
     * @param cancelled asked before each pass
     * @return whether all of the tokens were appended; if not, {@link #length} says how many were, and {@link #prefill} with the
     *     others or {@link #rewind} must follow
     */
    public boolean prefill(int[] ids, BooleanSupplier cancelled) {
        return prefill(
                ids, null, Objects.requireNonNull(cancelled, "cancelled is null: give one, such as () -> false"));
    }

    /**
     * Refuses tokens that {@link #prefill} would refuse.
     *
     * @param ids the tokens of a prompt
     * @throws ContextFullException if they do not fit
     * @throws IllegalArgumentException if there are none, or an id is outside the vocabulary
     */
    public void requirePrompt(int... ids) {
        limits.require(ids);
        if (ids.length > remainingContext()) {
            throw new ContextFullException(length(), ids.length, limits.maxPositions());
        }
    }

    /**
     * Takes the KV pages for so many positions, so that growing up to there does not fail for lack of them.
     *
     * @param positions prompt and generated tokens together, at most the limit of the session
     * @throws io.hydra4j.KvPagesExhaustedException if there are not enough
     * @throws IllegalStateException while a step runs ahead
     */
    public void reserve(int positions) {
        requireOpen();
        requireNothingAhead();
        sequence.reserve(limits.slots(positions));
    }

    private boolean prefill(int[] ids, PrefillListener each, BooleanSupplier cancelled) {
        requireOpen();
        requirePrompt(ids);
        takeBackAhead();
        sequence.reserve(length() + ids.length);
        phase = StepPhase.READY;
        commit();
        if (draftState() != null) {
            // Voids the rows that waited: the next step must not take them in again.
            passes.batch().rewind(0, length(), -1);
        }
        int before = length();
        try {
            return takeIn(ids, each, cancelled);
        } catch (RuntimeException | Error e) {
            Resources.closeAfter(e, () -> goBack(before));
            throw e;
        }
    }

    /** The passes over a prompt, for which there are pages. */
    private boolean takeIn(int[] ids, PrefillListener each, BooleanSupplier cancelled) {
        int most = promptRows().maxRows();
        for (int from = 0; from < ids.length; from += most) {
            if (cancelled.getAsBoolean()) {
                return false;
            }
            int count = Math.min(most, ids.length - from);
            sequence.append(ids, from, count, length());
            promptRows().setChain(0, ids, from, count);
            Program program = from + count == ids.length ? lastPrefill : prefill;
            passes.run(program);
            counter.prefilled(count, program);
            committed = length();
            if (roots != null && program == lastPrefill) {
                roots.selected(0, root(), passes.selector().prompts(1), 0);
            }
            if (each != null) {
                each.prefilled(from, count);
            }
        }
        return true;
    }

    /** Takes the waiting hidden states into the prefix layer before those of a step or a prompt overwrite them. */
    private void commit() {
        if (commit != null && committed < length()) {
            passes.run(commit);
        }
        committed = length();
    }

    /** Sees the logits of a prompt, pass by pass. */
    @FunctionalInterface
    public interface PrefillListener {
        /**
         * Rows 0 to {@code count - 1} of {@link Session#logits} belong to tokens {@code first} on.
         *
         * @param first index of the pass's first token in the prompt
         * @param count tokens of the pass
         */
        void prefilled(int first, int count);
    }

    /**
     * One step: {@link #draft}, {@link #verify} and {@link #accept} at once. It ends the one that {@link #stepAhead} has let run, if any.
     *
     * @return the emitted tokens and the path taken
     * @throws ContextFullException if not even the root fits
     * @throws IllegalStateException if no prompt was taken in before, or a step in parts has begun
     */
    public Step step() {
        if (ahead != null) {
            requireOpen();
            return endAhead(length(), false);
        }
        Tree now = begin();
        return step(now, programOf(now));
    }

    /**
     * As {@link #step}, and lets the step that follows run already, so that on CUDA the device need not wait for the host between them:
     * the caller means to call this again, or {@link #step}, which ends it. The tokens are the same. Until then the session shows
     * what it was after the step that is returned ({@link #length}, {@link #root}, {@link #tokens}), trees and sampling cannot be set, nor
     * is there a step in parts; {@link #prefill} and {@link #rewind} take back what has run ahead. In {@link #statistics} all of the
     * time of such a step counts as verification.
     *
     * <p>Nothing runs ahead where the next step needs the host: with a dynamic tree, with guesses on the host, where logits are kept or
     * log-probabilities told, and near the end of the context or of the pages that are {@linkplain #reserve reserved}.
     *
     * @return as {@link #step}
     * @throws ContextFullException if not even the root fits
     * @throws IllegalStateException as {@link #step}
     */
    public Step stepAhead() {
        if (ahead == null) {
            Tree now = begin();
            Program program = programOf(now);
            boolean needsHost = tree.isDynamic()
                    || readsBack
                    || drafting != Drafting.NONE && draftState().readsText();
            if (needsHost || !hasRoomAhead(now, program)) {
                return step(now, program);
            }
            int before = length(); // on the CPU the first step has run when it is enqueued
            aheadSince = System.nanoTime();
            passes.enqueue(program);
            ahead = program;
            treeAhead = now;
            phase = StepPhase.AHEAD;
            return endAhead(before, true);
        }
        requireOpen();
        return endAhead(length(), hasRoomAhead(treeAhead, ahead));
    }

    /** Whether there is room for two steps, all of whose guesses are right, so that the second one can follow without the host. */
    private boolean hasRoomAhead(Tree now, Program program) {
        int both = 2 * now.nodes();
        boolean overwritesWaiting = program == plainStep && plainStep != appendStep;
        boolean waits = program == appendStep && commit != null;
        return both <= remainingContext()
                && sequence.missingPages(length() + both) == 0
                && !overwritesWaiting
                && (!waits || length() - committed + both <= Tree.MAX_NODES);
    }

    /** Ends the first of the steps that run ahead, which began after so many positions. goesOn: whether another one follows it. */
    private Step endAhead(int before, boolean goesOn) {
        if (goesOn) {
            passes.enqueue(ahead);
        }
        try {
            passes.awaitFirst(ahead);
        } catch (RuntimeException | Error e) {
            noneAhead();
            throw e;
        }
        if (drafting != Drafting.NONE) {
            committed = before;
        }
        Step step = sequence.step();
        counter.stepped(treeAhead, step);
        long now = System.nanoTime();
        counter.passedAhead(now - aheadSince, guessed(step));
        aheadSince = now;
        if (!goesOn) {
            noneAhead();
        }
        return step;
    }

    private void noneAhead() {
        ahead = null;
        phase = StepPhase.READY;
    }

    /** Awaits a step that runs ahead; {@link #length} is what it leaves. The caller goes back from there. */
    private void awaitAhead() {
        if (ahead == null) {
            return;
        }
        int before = length();
        Program program = ahead;
        noneAhead();
        passes.awaitFirst(program);
        if (drafting != Drafting.NONE) {
            committed = before;
        }
    }

    /** Takes back a step that runs ahead; there is no root then. */
    private void takeBackAhead() {
        if (ahead != null) {
            takeBack(length());
        }
    }

    private void requireNothingAhead() {
        if (ahead != null) {
            throw new IllegalStateException("a step runs ahead: call step to end it, or rewind");
        }
    }

    private Program programOf(Tree now) {
        return switch (drafting) {
            case NONE -> plainStep(now.nodes());
            case FIXED -> draftStep;
            case GROWING -> growingStep();
        };
    }

    private Step step(Tree now, Program program) {
        int before = length();
        passes.run(program);
        Step step = told(sequence.step());
        if (drafting != Drafting.NONE) {
            committed = before;
        }
        counter.stepped(now, step);
        counter.passed(program, guessed(step));
        observe(step, program.nanos(0, program.marks() - 1), program.nanos(0, 1));
        return step;
    }

    /** Makes room for a step, and returns its tree: as much of {@link #tree} as there is room and there are guesses for. */
    private Tree begin() {
        requireOpen();
        if (root() < 0) {
            throw new IllegalStateException("a step before any prompt: call prefill first");
        }
        phase.require(StepPhase.READY);
        if (remainingContext() < 1) {
            throw new ContextFullException(length(), 1, limits.maxPositions());
        }
        Tree fitting = tree.truncated(remainingContext() - 1);
        if (fitting.isDynamic()) {
            return grown(fitting);
        }
        hasChosen = false;
        Tree now = proposed(fitting);
        sequence.reserve(length() + now.nodes());
        passes.use(0, now == fitting ? tree : now);
        drafting = now.nodes() > 1 ? Drafting.FIXED : Drafting.NONE;
        return now;
    }

    /** A dynamic tree; the root alone where there are no guesses. */
    private Tree grown(Tree most) {
        long begin = System.nanoTime();
        float[] chances = passes.guess(0, most, sequence.text(), most.depth());
        hasChosen = policy != null;
        Tree chosen = hasChosen
                ? policy.choose(new float[][] {chances}, passes.levels(most)).of(most)
                : most;
        Tree now = passes.grow(0, chosen);
        hostNanos = System.nanoTime() - begin;
        counter.proposed(hostNanos);
        drafting = now.isDynamic() && passes.levels(now) > 0 ? Drafting.GROWING : Drafting.NONE;
        sequence.reserve(length() + now.nodes());
        return now;
    }

    private boolean guessed(Step step) {
        return step.nodes() > 1 || drafting == Drafting.GROWING;
    }

    /** Tells the policy, where it has chosen, what became of the step. */
    private void observe(Step step, long nanos, long draft) {
        if (hasChosen) {
            long heads = drafting == Drafting.GROWING ? draft : 0;
            policy.observe(new int[] {step.emitted()}, step.nodes(), hostNanos + nanos, heads);
        }
    }

    /**
     * Begins a step in parts: guesses the tokens of the tree's nodes.
     *
     * @return {@code [nodes]} the tokens; that of node 0 is the root. The tree is {@link #tree}, cut to whole levels where there
     *     is no room for more, or are no guesses for it; of a dynamic tree they are the nodes that it has in this step, in order of
     *     depth
     * @throws ContextFullException if not even the root fits
     * @throws IllegalStateException if no prompt was taken in before, or a step in parts has begun
     */
    public int[] draft() {
        drafted = begin();
        if (parts == null) {
            parts = new StepParts(passes, passes.nodes(), false);
        }
        Program program = drafting == Drafting.GROWING ? parts.grow() : parts.draft(drafting == Drafting.FIXED);
        passes.run(program);
        if (drafting != Drafting.NONE) {
            committed = length();
        }
        counter.drafted(program);
        phase = StepPhase.DRAFTED;
        int[] tokens = nodeTokens();
        draftedNodes = tokens.length;
        return tokens;
    }

    /**
     * Goes on with a step in parts: one pass of the base model over the tree's nodes.
     *
     * @return {@code [nodes]} the token that plain decoding would emit after each node; {@link #logits} has its row where they
     *     are kept
     * @throws IllegalStateException if no tree was drafted
     */
    public int[] verify() {
        requireOpen();
        phase.require(StepPhase.DRAFTED);
        passes.run(parts.verify());
        counter.verified(parts.verify());
        phase = StepPhase.VERIFIED;
        verified = selected(draftedNodes);
        int[] selected = new int[draftedNodes];
        passes.selector().selection().read(0, selected);
        return selected;
    }

    /** What the pass over a tree has selected; null where steps tell no log-probabilities. */
    private Selected selected(int nodes) {
        return roots == null ? null : passes.selector().nodes(nodes);
    }

    private Step told(Step step) {
        return told(step, selected(step.nodes()));
    }

    /** A step with the log-probabilities of its tokens, where they are told. */
    private Step told(Step step, Selected selected) {
        return roots == null ? step : step.with(roots.emitted(0, step.tokens(), step.path(), selected, 0, root()));
    }

    /**
     * Ends a step in parts: keeps the longest path on which every token is the one that was selected at its parent, or with
     * {@link Acceptance#typical} likely enough.
     *
     * @return the emitted tokens and the path taken
     * @throws IllegalStateException if no tree was verified
     */
    public Step accept() {
        requireOpen();
        phase.require(StepPhase.VERIFIED);
        boolean appends = drafting == Drafting.NONE && !isWaitingFull(draftedNodes);
        if (drafting == Drafting.NONE && !appends) {
            commit();
        }
        Program program = parts.accept(appends);
        passes.run(program);
        phase = StepPhase.READY;
        Step step = told(sequence.step(), verified);
        counter.stepped(drafted, step);
        counter.accepted(program, guessed(step));
        observe(step, counter.partsNanos(program), counter.partDraftNanos());
        return step;
    }

    /**
     * As {@link #accept()}, by tokens of the caller's own: {@link #root} will be the one selected at the last accepted node.
     *
     * @param selected {@code [nodes]} the token that follows each node
     * @return as {@link #accept()}
     * @throws IllegalArgumentException if there are not as many as nodes, or one is outside the vocabulary
     * @throws IllegalStateException if no tree was verified, or with {@link Acceptance#typical}
     */
    public Step accept(int... selected) {
        requireOpen();
        phase.require(StepPhase.VERIFIED);
        passes.selector().requireExact();
        Objects.requireNonNull(selected, "selected is null: give a token for each node");
        if (selected.length != draftedNodes) {
            throw new IllegalArgumentException(selected.length + " selected tokens for " + draftedNodes + " nodes");
        }
        limits.require(selected);
        passes.selector().selection().write(0, selected);
        return accept();
    }

    /**
     * Replaces the next token, for loops that select tokens of their own.
     *
     * @param token an id of the vocabulary
     * @throws IllegalArgumentException if it is outside the vocabulary
     * @throws IllegalStateException if there is none, as no prompt was taken in, or a step in parts has begun
     */
    public void setRoot(int token) {
        requireOpen();
        phase.require(StepPhase.READY);
        limits.require(new int[] {token});
        if (root() < 0) {
            throw new IllegalStateException("there is no next token to replace: call prefill first");
        }
        passes.batch().setRoot(0, token);
    }

    /** The part of a tree for which there are guesses. */
    private Tree proposed(Tree whole) {
        if (whole.nodes() == 1) {
            return whole;
        }
        long begin = System.nanoTime();
        int depth = draftState().propose(0, sequence.text(), whole.depth());
        draftState().proposed();
        counter.proposed(System.nanoTime() - begin);
        return whole.truncated(depth);
    }

    /** A step without a draft lets its hidden states wait after the others, until so many wait that they are taken in together. */
    private Program plainStep(int nodes) {
        if (!isWaitingFull(nodes)) {
            return appendStep;
        }
        commit();
        return plainStep;
    }

    private boolean isWaitingFull(int nodes) {
        return commit != null && length() - committed + nodes > Tree.MAX_NODES;
    }

    /**
     * Goes back to a shorter length, exactly. The next call must be {@link #prefill} with the tokens from there on.
     *
     * @param length 0 to {@link #length}
     * @throws IllegalArgumentException if the length is out of range
     */
    public void rewind(int length) {
        requireOpen();
        if (length < 0 || length > length()) {
            throw new IllegalArgumentException(
                    "cannot go back to a length of " + length + ": must be from 0 to the present " + length());
        }
        takeBack(length);
    }

    private void takeBack(int length) {
        awaitAhead();
        phase = StepPhase.READY;
        commit();
        goBack(length);
    }

    private void goBack(int length) {
        passes.batch().rewind(0, length, -1);
        if (draftState() != null) {
            draftState().rewound(0, length);
        }
        committed = length;
    }

    /** {@return the number of verified positions: tokens of the prompt and emitted ones} */
    public int length() {
        return passes.batch().length(0);
    }

    /** {@return the base model's next token, which the next step will emit first; -1 before any prompt} */
    public int root() {
        return passes.batch().root(0);
    }

    /** {@return the number of positions that still fit} */
    public int remainingContext() {
        return limits.maxPositions() - length();
    }

    /** {@return the verified tokens, {@code [length]}} A copy. */
    public int[] tokens() {
        return sequence.tokens();
    }

    /** {@return tokens of all nodes of the last step's tree, {@code [nodes]}} */
    public int[] nodeTokens() {
        requireNothingAhead();
        return passes.nodes().tokens();
    }

    /** {@return the rows of the last pass over a prompt, for tools that look at hidden states} */
    public PassRows promptRows() {
        return passes.promptRows();
    }

    /** {@return {@code float[rows][hidden]}: the hidden states of the last pass} */
    public Buffer hidden() {
        return passes.hidden();
    }

    /** {@return what drafts for this session, for tools that look at candidates; null for plain decoding} */
    public Draft draftState() {
        return passes.draft();
    }

    /**
     * Logits of one row of the last pass: a tree node of a step, or a token of the last pass over a prompt.
     *
     * @param row of the last pass, counted from 0
     * @return {@code [vocabulary]}
     * @throws IllegalStateException without {@link SessionOptions#withLogits}
     */
    public float[] logits(int row) {
        passes.requireLogits(SessionOptions.class);
        return passes.logits(row);
    }

    /** {@return what this session did since it was made or {@link #resetStatistics} was called} */
    public SessionStatistics statistics() {
        return counter.statistics();
    }

    /** Begins the statistics anew. */
    public void resetStatistics() {
        counter.reset();
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
