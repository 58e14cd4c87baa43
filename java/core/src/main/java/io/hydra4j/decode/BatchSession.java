package io.hydra4j.decode;

import io.hydra4j.draft.Drafter;
import io.hydra4j.model.DecoderModel;
import io.hydra4j.model.PassBuffers;
import io.hydra4j.runtime.Program;
import io.hydra4j.runtime.Resources;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.Map;
import java.util.Objects;
import java.util.stream.IntStream;

/**
 * Several sequences of one model decoded side by side, for servers: a pass reads the weights once for all of them. Sequences are
 * numbered from 0 and join and leave as they like: {@link #prefill} gives one a prompt, from then on it takes part in every
 * {@link #step}, until it is paused or cleared.
 *
 * <p>Each sequence has a tree of its own. Its tokens, paths and logits are those of a {@link Session} of its own, to the bit,
 * whatever is decoded beside it. One that is full, or has room for a part of its tree alone, holds nobody else back.
 *
 * <p>Prompts may also be taken in beside what is decoded: {@link #enqueuePrompt} lets each of the steps that follow take some tokens
 * along, until the prompt is complete and its sequence decodes, too.
 *
 * <p>A call that is refused changes nothing. Not thread-safe: use it from one thread at a time. Sessions of one model may run in
 * several threads, on CUDA at the same time.
 */
public final class BatchSession implements AutoCloseable {
    private static final int NONE = -1;

    private final SessionLimits limits;
    // Whether a sequence takes all pages that it may need with its first prompt.
    private final boolean reserving;
    private final Passes passes;
    private final Sequence[] sequences;
    private final int[] pausedRoots;
    private final int[] logitRows;
    private final int[] logitNodes;
    private final PromptQueue prompts = new PromptQueue();
    private final BatchPrograms programs;
    private final StatisticsCounter counter = new StatisticsCounter();
    private final Runnable requireModel;
    /** Null where steps do not tell log-probabilities. */
    private final RootLikelihoods roots;

    private final Tree[] trees;
    private Tree tree;
    /** Null where dynamic trees grow as they are set. */
    private GrowthPolicy policy;
    /** Whether the policy has chosen for all sequences of the present step, and how long that and guessing on the host took. */
    private boolean hasChosen;

    private long hostNanos;
    /** Whether the caller has limited the nodes of all dynamic trees together. */
    private boolean hasBudget;

    private StepPhase phase = StepPhase.READY;
    private BatchStep drafted;
    private Selected verified;
    private boolean closed;

    /** As {@link io.hydra4j.decode.access.Sessions.Constructor#make}. */
    BatchSession(DecoderModel model, Drafter drafter, BatchOptions options, Runnable requireModel, Runnable ended) {
        this.requireModel = requireModel;
        limits = SessionLimits.of(model, drafter, options.maxPositions(), options.candidates(), options.nodes());
        reserving = options.maxPositions() > 0;
        limits.require(options.tree());
        tree = options.tree();
        int size = options.size();
        int rows = options.prefillTokens() == 0
                ? PassBuffers.promptRows(model.backend(), (long) size * limits.maxPositions())
                : options.prefillTokens();
        Selector.Needs needs = Selector.Needs.of(
                options.sampling(),
                options.logProbabilities(),
                options.keepLogits(),
                drafter == null ? Acceptance.exact() : options.acceptance());
        roots = needs.tells() ? new RootLikelihoods(size, needs.logProbabilities()) : null;
        passes = new Passes(model, drafter, limits, size, rows, needs, true);
        sequences = new Sequence[size];
        Arrays.setAll(sequences, s -> new Sequence(passes.pages(), passes.batch(), s));
        pausedRoots = new int[size];
        logitRows = new int[size];
        logitNodes = new int[size];
        trees = new Tree[size];
        Arrays.fill(pausedRoots, NONE);
        Arrays.fill(logitRows, NONE);
        try {
            programs = new BatchPrograms(passes);
            setTree(tree);
            passes.whenClosed(ended);
        } catch (RuntimeException | Error e) {
            Resources.closeAfter(e, passes);
            throw e;
        }
    }

    /**
     * Sets the tree of the steps that follow, of all sequences.
     *
     * @param tree at most as large as the session was made for
     * @throws IllegalArgumentException if it has more than the root and there is no drafter, is deeper than the drafter reaches, or asks for
     *     more candidates or nodes than the session was made for
     * @throws IllegalStateException if a step in parts has begun
     */
    public void setTree(Tree tree) {
        phase.require(StepPhase.READY);
        limits.require(tree);
        this.tree = tree;
        Arrays.fill(trees, tree);
        passes.use(tree);
    }

    /**
     * Sets the tree of the steps that follow, of one sequence; it stays when the sequence is cleared.
     *
     * @param sequence 0 to {@link #size} - 1
     * @param tree at most as large as the session was made for
     * @throws IllegalArgumentException as {@link #setTree(Tree)}, and if there is no such sequence
     * @throws IllegalStateException if a step in parts has begun
     */
    public void setTree(int sequence, Tree tree) {
        phase.require(StepPhase.READY);
        requireSequence(sequence);
        limits.require(tree);
        trees[sequence] = tree;
        passes.use(sequence, tree);
    }

    /** {@return the tree that was last set for all sequences} */
    public Tree tree() {
        return tree;
    }

    /**
     * {@return the tree of the steps that follow, of one sequence}
     *
     * @param sequence 0 to {@link #size} - 1
     */
    public Tree tree(int sequence) {
        requireSequence(sequence);
        return trees[sequence];
    }

    /**
     * Sets what chooses how the dynamic trees of all sequences grow in the steps that follow; those that are set are the most that they
     * may.
     *
     * @param policy this session's own; null where they are to grow as they are set
     * @throws IllegalStateException if a step in parts has begun
     */
    public void setGrowthPolicy(GrowthPolicy policy) {
        phase.require(StepPhase.READY);
        this.policy = policy;
    }

    /**
     * Sets how the tokens of one sequence are selected in the steps and prompts that follow; it stays when the sequence is cleared. A
     * {@link #root} that is there was selected before, and stays.
     *
     * @param sequence 0 to {@link #size} - 1
     * @param sampling {@link Sampling#GREEDY} for the best tokens
     * @throws NullPointerException if it is null
     * @throws IllegalArgumentException if it has a bias for a token outside the vocabulary, is not greedy in a session with {@link
     *     Acceptance#typical}, or there is no such sequence
     * @throws IllegalStateException if the session was made without {@link BatchOptions#withSampling}, or a step in parts has begun
     */
    public void setSampling(int sequence, Sampling sampling) {
        requireOpen();
        phase.require(StepPhase.READY);
        requireSequence(sequence);
        passes.selector().require(sampling, BatchOptions.class);
        passes.selector().use(sequence, sampling);
    }

    /**
     * {@return how the tokens of one sequence are selected in the steps that follow}
     *
     * @param sequence 0 to {@link #size} - 1
     */
    public Sampling sampling(int sequence) {
        requireSequence(sequence);
        return passes.selector().sampling(sequence);
    }

    /** {@return the number of sequences} */
    public int size() {
        return sequences.length;
    }

    /**
     * Appends tokens to one sequence; as {@link #prefill(Map)}.
     *
     * @param sequence 0 to {@link #size} - 1
     * @param ids token ids, at least one
     */
    public void prefill(int sequence, int... ids) {
        prefill(Collections.singletonMap(sequence, ids));
    }

    /**
     * Appends tokens to some sequences: prompts, or more of conversations. They share passes of at most
     * {@link BatchOptions#prefillTokens}, in the order of the map. A root that was waiting is dropped for the first of them.
     * Afterwards {@link #root} is the base model's next token of each, and they take part in steps, also those that were paused.
     * What {@link #enqueuePrompt} has left of their prompts is taken in before.
     *
     * <p>Where a pass fails, these sequences have the lengths and what was left of their prompts as before the call, and no roots: they
     * take no part in steps until a {@link #prefill}, which may be the same again.
     *
     * @param prompts token ids by sequence, at least one for each
     * @throws ContextFullException if those of a sequence do not fit
     * @throws io.hydra4j.KvPagesExhaustedException if there are not enough KV pages for all of them
     * @throws IllegalArgumentException if there is no prompt, no such sequence, or an id is outside the vocabulary
     */
    public void prefill(Map<Integer, int[]> prompts) {
        requireOpen();
        Objects.requireNonNull(prompts, "prompts is null: give one prompt at least");
        if (prompts.isEmpty()) {
            throw new IllegalArgumentException("no prompts: give one at least");
        }
        prompts.forEach((sequence, ids) ->
                requirePrompt(Objects.requireNonNull(sequence, "a sequence is null: give its number"), ids));
        int[] lengths = new int[size()];
        prompts.forEach((sequence, ids) -> lengths[sequence] = positions(sequence, ids));
        reserve(lengths);
        int[] before = new int[size()];
        phase = StepPhase.READY;
        Arrays.setAll(before, this::length);
        PromptQueue left = this.prompts.of(prompts.keySet());
        try {
            prompts.forEach(this::enqueue);
            takeIn(prompts.keySet());
        } catch (RuntimeException | Error e) {
            Resources.closeAfter(e, () -> prompts.forEach((sequence, ids) -> goBack(sequence, before[sequence])));
            this.prompts.addAll(left);
            throw e;
        }
    }

    private void takeIn(Collection<Integer> sequences) {
        int most = passes.promptRows().maxRows();
        PromptQueue.Portion portion = prompts.next(sequences, most);
        while (portion.tokens().length > 0) {
            takeIn(portion);
            portion = prompts.next(sequences, most);
        }
    }

    /**
     * Lets the steps that follow append tokens to a sequence: a prompt, or more of a conversation. Each step takes at most
     * {@link BatchOptions#prefillTokens} of all such prompts, in the order in which they came, beside the trees of the sequences
     * that decode. A root that was waiting is dropped for the first of them. When the step that takes the last one in has ended,
     * {@link #root} is the base model's next token, and the sequence takes part in steps, also where it was paused.
     *
     * @param sequence 0 to {@link #size} - 1
     * @param ids token ids, at least one
     * @throws ContextFullException if they do not fit
     * @throws io.hydra4j.KvPagesExhaustedException with {@link BatchOptions#withMaxPositions} if there are not enough KV pages for so
     *     many
     * @throws IllegalArgumentException if there is no such sequence, or an id is outside the vocabulary
     * @throws IllegalStateException if a step in parts has begun
     */
    public void enqueuePrompt(int sequence, int... ids) {
        requireOpen();
        phase.require(StepPhase.READY);
        requirePrompt(sequence, ids);
        if (reserving) {
            int[] lengths = new int[size()];
            lengths[sequence] = positions(sequence, ids);
            reserve(lengths);
        }
        enqueue(sequence, ids);
    }

    /** Positions that a sequence takes pages for as it gets a prompt. */
    private int positions(int sequence, int[] ids) {
        return reserving ? limits.slots(limits.maxPositions()) : length(sequence) + promptLeft(sequence) + ids.length;
    }

    /**
     * {@return the number of tokens of a sequence's prompt that the steps that follow have still to take in}
     *
     * @param sequence 0 to {@link #size} - 1
     */
    public int promptLeft(int sequence) {
        requireSequence(sequence);
        return prompts.left(sequence);
    }

    private void requirePrompt(int sequence, int[] ids) {
        int length = length(sequence) + promptLeft(sequence);
        limits.require(ids);
        if (ids.length > limits.maxPositions() - length) {
            throw new ContextFullException(sequence, length, ids.length, limits.maxPositions());
        }
    }

    private void enqueue(int sequence, int[] ids) {
        prompts.add(sequence, ids);
        pausedRoots[sequence] = NONE;
        passes.batch().setRoot(sequence, NONE);
    }

    /** A pass over portions of prompts alone, for which there are pages. */
    private void takeIn(PromptQueue.Portion portion) {
        set(portion);
        Program program = programs.prefill(portion);
        passes.run(program);
        prompts.taken(portion);
        counter.prefilled(portion.tokens().length, program);
        if (roots != null && portion.endsAny()) {
            noteRoots(portion, passes.selector().prompts(portion.sequences().length), 0);
        }
    }

    /** Notes how likely the tokens are that were selected after prompts, the first of them at some row. */
    private void noteRoots(PromptQueue.Portion portion, Selected selected, int first) {
        for (int i = 0; i < portion.sequences().length; i++) {
            if (portion.ends()[i]) {
                int sequence = portion.sequences()[i];
                roots.selected(sequence, root(sequence), selected, first + i);
            }
        }
    }

    /** Makes the prompts' rows these, and notes their tokens. */
    private void set(PromptQueue.Portion portion) {
        for (int i = 0, from = 0; i < portion.sequences().length; from += portion.counts()[i++]) {
            int sequence = portion.sequences()[i];
            sequences[sequence].append(portion.tokens(), from, portion.counts()[i], length(sequence));
        }
        passes.promptRows().setChains(portion.sequences(), portion.counts(), portion.tokens(), portion.ends());
    }

    /**
     * One step of all sequences that take part: {@link #draft}, {@link #verify} and {@link #accept} at once. It also takes in what
     * fits of prompts that {@link #enqueuePrompt} has left.
     *
     * @return {@code [size]} the emitted tokens and the path taken of each sequence; null where one took no part, as it has no
     *     prompt or has still to take one in, is paused, or is full, which {@link #remainingContext} tells
     * @throws io.hydra4j.KvPagesExhaustedException if there are not enough KV pages for all of them
     * @throws IllegalStateException if no sequence has a prompt and is not paused, or a step in parts has begun
     */
    public Step[] step() {
        BatchStep now = begin();
        PromptQueue.Portion portion = now.prompts();
        if (now.nodes() == 0) {
            if (now.takesIn()) {
                takeIn(portion);
            }
            return new Step[size()];
        }
        if (now.takesIn()) {
            set(portion);
        }
        Program program = programs.step(now);
        passes.run(program);
        prompts.taken(portion);
        counter.prefilledBeside(portion.tokens().length);
        now = now.ran(passes.batch()::nodes);
        counter.passed(program, now.guesses());
        keepLogits(now, now.roots());
        Step[] steps = steps(now, selected(now));
        // Marks stand after draft, verification, acceptance and what the draft commits.
        long draft = program.nanos(0, 1) + program.nanos(3, program.marks() - 1);
        observe(now, steps, hostNanos + program.nanos(0, program.marks() - 1), draft);
        return steps;
    }

    /** Tells the policy, where it has chosen, what became of a step that has taken in nothing beside. */
    private void observe(BatchStep now, Step[] steps, long nanos, long draft) {
        if (hasChosen && !now.takesIn()) {
            int[] emitted = Arrays.stream(steps)
                    .filter(Objects::nonNull)
                    .mapToInt(Step::emitted)
                    .toArray();
            policy.observe(emitted, now.nodes(), nanos, now.drafting() == Drafting.GROWING ? draft : 0);
        }
    }

    /** What the next step computes, for which there are pages then. */
    private BatchStep begin() {
        requireOpen();
        phase.require(StepPhase.READY);
        Tree[] now = new Tree[size()];
        int[] lengths = new int[size()];
        int[] counts = new int[size()];
        boolean anyRoot = false;
        boolean fixed = false;
        for (int s = 0; s < size(); s++) {
            anyRoot |= passes.batch().root(s) >= 0;
            if (takesPart(s) && !trees[s].isDynamic()) {
                now[s] = proposed(s);
                fixed |= now[s].nodes() > 1;
            }
        }
        boolean growing = grow(now);
        boolean isGrown = Arrays.stream(now).anyMatch(tree -> tree != null && tree.isDynamic());
        if (fixed && isGrown) {
            throw new IllegalStateException("a step with fixed trees and dynamic ones: give all sequences of one kind");
        }
        for (int s = 0; s < size(); s++) {
            counts[s] = now[s] == null ? 0 : now[s].nodes();
            lengths[s] = now[s] == null ? 0 : length(s) + counts[s];
        }
        if (fixed) {
            long begin = System.nanoTime();
            passes.draft().proposed();
            counter.proposed(System.nanoTime() - begin);
        }
        int rows = Arrays.stream(counts).sum();
        Drafting drafting = fixed ? Drafting.FIXED : growing ? Drafting.GROWING : Drafting.NONE;
        int most = Math.min(passes.promptRows().maxRows(), passes.mixed().maxRows() - rows);
        BatchStep step = new BatchStep(now, counts, rows, drafting, prompts.next(prompts.sequences(), most));
        for (int i = 0; i < step.prompts().sequences().length; i++) {
            int sequence = step.prompts().sequences()[i];
            lengths[sequence] = length(sequence) + step.prompts().counts()[i];
        }
        if (!anyRoot && !step.takesIn()) {
            throw new IllegalStateException("a step without a sequence: call prefill or resume first");
        }
        reserve(lengths);
        Arrays.fill(logitRows, NONE);
        return step;
    }

    /** What the pass of a step has selected; null where steps tell no log-probabilities. */
    private Selected selected(BatchStep now) {
        return roots == null ? null : passes.selector().nodes(now.selections());
    }

    /** What a step has left of each sequence that has a tree in it. */
    private Step[] steps(BatchStep now, Selected selected) {
        Step[] steps = new Step[size()];
        int[] first = now.roots();
        for (int s = 0; s < size(); s++) {
            if (now.trees()[s] != null) {
                Step step = sequences[s].step();
                steps[s] = roots == null
                        ? step
                        : step.with(roots.emitted(s, step.tokens(), step.path(), selected, first[s], root(s)));
                counter.stepped(now.trees()[s], step);
            }
        }
        if (roots != null) {
            noteRoots(now.prompts(), selected, now.nodes());
        }
        return steps;
    }

    /** @param rows {@code [size]} the first of each sequence; -1 where there is none */
    private void keepLogits(BatchStep now, int[] rows) {
        System.arraycopy(rows, 0, logitRows, 0, size());
        Arrays.setAll(logitNodes, now::selections);
    }

    /**
     * Begins a step in parts: guesses the tokens of the nodes of all sequences that take part. Until it is accepted the session may
     * be read and nothing else; {@link #prefill}, {@link #rewind} and {@link #clear} leave the step, of all sequences, and the next
     * one begins as if it had not been.
     *
     * @return {@code [size][nodes]} the tokens; that of node 0 is the root, and the tree is {@link #tree(int)}, cut to whole levels
     *     where there is no room for more. Null where a sequence takes no part, as {@link #step} says
     * @throws io.hydra4j.KvPagesExhaustedException if there are not enough KV pages for all of them
     * @throws IllegalStateException if no sequence has a prompt and is not paused, one that takes part has a dynamic tree, or a step in
     *     parts has begun
     */
    public int[][] draft() {
        requireOpen();
        phase.require(StepPhase.READY);
        if (IntStream.range(0, size()).anyMatch(s -> takesPart(s) && trees[s].isDynamic())) {
            throw new IllegalStateException("a batch's step in parts needs fixed trees: call step, or set such trees");
        }
        BatchStep now = begin();
        StepParts parts = programs.parts(now);
        if (now.takesIn()) {
            set(now.prompts());
        }
        if (!now.isEmpty()) {
            Program program = parts.draft(now.guesses());
            passes.run(program);
            counter.drafted(program);
        }
        drafted = now;
        phase = StepPhase.DRAFTED;
        return now.ofTrees((now.takesIn() ? passes.mixed() : passes.nodes()).tokens());
    }

    /**
     * Goes on with a step in parts: one pass of the base model over the nodes of all sequences, and what the step takes in of
     * prompts.
     *
     * @return {@code [size][nodes]} the token that plain decoding would emit after each node, {@code [size][1]} after the prompt of a
     *     sequence of which nothing is left then; null of the others. {@link #logits} has its row where they are kept
     * @throws IllegalStateException if no trees were drafted
     */
    public int[][] verify() {
        requireOpen();
        phase.require(StepPhase.DRAFTED);
        int[] selected = new int[drafted.selections()];
        if (!drafted.isEmpty()) {
            Program program = programs.parts(drafted).verify();
            passes.run(program);
            counter.verified(program);
            passes.selector().selection().read(0, selected);
            verified = selected(drafted);
        }
        keepLogits(drafted, drafted.firstSelections());
        phase = StepPhase.VERIFIED;
        return drafted.split(selected);
    }

    /**
     * Ends a step in parts: keeps of each sequence the longest path on which every token is the one that was selected at its parent,
     * or with {@link Acceptance#typical} likely enough.
     *
     * @return as {@link #step}
     * @throws IllegalStateException if no trees were verified
     */
    public Step[] accept() {
        requireOpen();
        phase.require(StepPhase.VERIFIED);
        if (drafted.isEmpty()) {
            phase = StepPhase.READY;
            return new Step[size()];
        }
        Program program = programs.parts(drafted).accept(false);
        passes.run(program);
        phase = StepPhase.READY;
        PromptQueue.Portion portion = drafted.prompts();
        prompts.taken(portion);
        if (drafted.nodes() == 0) {
            counter.prefilledInParts(portion.tokens().length, program);
        } else {
            counter.prefilledBeside(portion.tokens().length);
            counter.accepted(program, drafted.guesses());
        }
        return steps(drafted, verified);
    }

    /**
     * As {@link #accept()}, by tokens of the caller's own: {@link #root} of each sequence will be the one selected at its last
     * accepted node, or after its prompt.
     *
     * @param selected {@code [size][nodes]}, as {@link #verify} gives them: the token that follows each node or prompt
     * @return {@code [size]} as {@link #accept()}
     * @throws IllegalArgumentException if there are not as many as were selected, or one is outside the vocabulary
     * @throws IllegalStateException if no trees were verified, or with {@link Acceptance#typical}
     */
    public Step[] accept(int[][] selected) {
        requireOpen();
        phase.require(StepPhase.VERIFIED);
        passes.selector().requireExact();
        passes.selector().selection().write(0, drafted.joined(selected, limits));
        return accept();
    }

    /**
     * Replaces the next token of a sequence, for loops that select tokens of their own.
     *
     * @param sequence 0 to {@link #size} - 1
     * @param token an id of the vocabulary
     * @throws IllegalArgumentException if it is outside the vocabulary, or there is no such sequence
     * @throws IllegalStateException if there is none, as no prompt was taken in, or a step in parts has begun
     */
    public void setRoot(int sequence, int token) {
        requireOpen();
        phase.require(StepPhase.READY);
        limits.require(new int[] {token});
        if (root(sequence) < 0) {
            throw new IllegalStateException(
                    "sequence " + sequence + " has no next token to replace: give it a prompt first");
        }
        if (pausedRoots[sequence] == NONE) {
            passes.batch().setRoot(sequence, token);
        } else {
            pausedRoots[sequence] = token;
        }
    }

    /** As much of a sequence's tree as there is room and there are guesses for. */
    private Tree proposed(int sequence) {
        Tree fitting = trees[sequence].truncated(remainingContext(sequence) - 1);
        if (fitting.nodes() == 1) {
            return fitting;
        }
        long begin = System.nanoTime();
        Tree now = fitting.truncated(passes.draft().propose(sequence, sequences[sequence].text(), fitting.depth()));
        passes.use(sequence, now == fitting ? trees[sequence] : now);
        counter.proposed(System.nanoTime() - begin);
        return now;
    }

    /**
     * Makes the dynamic trees of a step, which begin with what is guessed on the host; the root alone where nothing is.
     *
     * @param now gets them
     * @return whether the device is to make more of them than that
     */
    private boolean grow(Tree[] now) {
        int[] all = IntStream.range(0, size()).filter(this::takesPart).toArray();
        int[] grown = Arrays.stream(all).filter(s -> trees[s].isDynamic()).toArray();
        hasChosen = policy != null && grown.length > 0 && grown.length == all.length;
        if (grown.length == 0) {
            return false;
        }
        long begin = System.nanoTime();
        float[][] chances = new float[grown.length][];
        int levels = 0;
        for (int i = 0; i < grown.length; i++) {
            int s = grown[i];
            now[s] = trees[s].truncated(remainingContext(s) - 1);
            int most = passes.levels(now[s]);
            chances[i] = passes.guess(s, now[s], sequences[s].text(), limits.deepest());
            levels = Math.max(levels, most);
        }
        GrowthPolicy.Growth growth = policy == null ? null : policy.choose(chances, levels);
        boolean drafts = false;
        for (int s : grown) {
            Tree chosen = growth == null || now[s].nodes() == 1 ? now[s] : growth.of(now[s]);
            now[s] = passes.grow(s, chosen);
            drafts |= now[s].isDynamic() && (hasBudget || passes.levels(now[s]) > 0);
        }
        hostNanos = System.nanoTime() - begin;
        counter.proposed(hostNanos);
        return drafts;
    }

    /**
     * Sets the most nodes below their roots that the dynamic trees of a step have together, of all sequences. They go where they
     * are likeliest to be right: so a pass costs no more rows than pay.
     *
     * @param nodes 0, which leaves the roots alone, or more; without a limit at first
     * @throws IllegalArgumentException if it is negative
     * @throws IllegalStateException if a step in parts has begun
     */
    public void setBudget(int nodes) {
        requireOpen();
        phase.require(StepPhase.READY);
        if (nodes < 0) {
            throw new IllegalArgumentException("the budget is " + nodes + " nodes: give 0 or more");
        }
        passes.budget(nodes);
        hasBudget = true;
    }

    private void rewound(int sequence, int length) {
        if (passes.draft() != null) {
            passes.draft().rewound(sequence, length);
        }
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
     * @param sequence 0 to {@link #size} - 1
     * @throws IllegalArgumentException if there is no such sequence
     * @throws IllegalStateException if it has no prompt yet, or a step in parts has begun
     */
    public void pause(int sequence) {
        requireOpen();
        phase.require(StepPhase.READY);
        int root = root(sequence);
        if (root < 0) {
            throw new IllegalStateException(
                    "sequence " + sequence + " has no prompt yet, or not all of it: call prefill first");
        }
        if (pausedRoots[sequence] == NONE) {
            passes.batch().setRoot(sequence, NONE);
            pausedRoots[sequence] = root;
        }
    }

    /**
     * Lets a paused sequence take part in steps again; another one stays as it is.
     *
     * @param sequence 0 to {@link #size} - 1
     * @throws IllegalArgumentException if there is no such sequence
     * @throws IllegalStateException if a step in parts has begun
     */
    public void resume(int sequence) {
        requireOpen();
        phase.require(StepPhase.READY);
        int root = root(sequence);
        if (pausedRoots[sequence] != NONE) {
            passes.batch().setRoot(sequence, root);
            pausedRoots[sequence] = NONE;
        }
    }

    /**
     * Goes back to a shorter length of a sequence; it keeps its pages, what was left of a prompt is dropped, and it takes
     * part in steps again after a {@link #prefill} with the tokens after that length.
     *
     * @param sequence 0 to {@link #size} - 1
     * @param length 0 to {@link #length}
     * @throws IllegalArgumentException if there is no such sequence, or the length is out of range
     */
    public void rewind(int sequence, int length) {
        requireOpen();
        if (length < 0 || length > length(sequence)) {
            throw new IllegalArgumentException("sequence " + sequence + " cannot go back to a length of " + length
                    + ": must be from 0 to the present " + length(sequence));
        }
        phase = StepPhase.READY;
        goBack(sequence, length);
    }

    private void goBack(int sequence, int length) {
        prompts.remove(sequence);
        pausedRoots[sequence] = NONE;
        passes.batch().rewind(sequence, length, NONE);
        rewound(sequence, length);
    }

    /**
     * Makes a sequence empty and releases its pages, so that it can serve another text.
     *
     * @param sequence 0 to {@link #size} - 1
     * @throws IllegalArgumentException if there is no such sequence
     */
    public void clear(int sequence) {
        requireOpen();
        requireSequence(sequence);
        phase = StepPhase.READY;
        sequences[sequence].clear();
        prompts.remove(sequence);
        rewound(sequence, 0);
        pausedRoots[sequence] = NONE;
    }

    /**
     * {@return whether the next step emits tokens of a sequence: it has a prompt, is not paused, and not full}
     *
     * @param sequence 0 to {@link #size} - 1
     */
    public boolean takesPart(int sequence) {
        requireSequence(sequence);
        return passes.batch().root(sequence) >= 0 && remainingContext(sequence) > 0;
    }

    /**
     * {@return the number of verified positions of a sequence: tokens of the prompt and emitted ones}
     *
     * @param sequence 0 to {@link #size} - 1
     */
    public int length(int sequence) {
        requireSequence(sequence);
        return passes.batch().length(sequence);
    }

    /**
     * {@return the base model's next token of a sequence, which its next step will emit first; -1 before any prompt}
     *
     * @param sequence 0 to {@link #size} - 1
     */
    public int root(int sequence) {
        requireSequence(sequence);
        return pausedRoots[sequence] == NONE ? passes.batch().root(sequence) : pausedRoots[sequence];
    }

    /**
     * {@return the number of positions that still fit into a sequence}
     *
     * @param sequence 0 to {@link #size} - 1
     */
    public int remainingContext(int sequence) {
        return limits.maxPositions() - length(sequence);
    }

    /**
     * {@return the verified tokens of a sequence, {@code [length]}} A copy.
     *
     * @param sequence 0 to {@link #size} - 1
     */
    public int[] tokens(int sequence) {
        requireSequence(sequence);
        return sequences[sequence].tokens();
    }

    /**
     * Logits of a tree node of the last step, or where that is made in parts, and a prompt ends in it, as node 0 those after the
     * prompt.
     *
     * @param sequence 0 to {@link #size} - 1
     * @param node 0 to {@link Step#nodes} - 1 of the sequence's step
     * @return {@code [vocabulary]}
     * @throws IllegalStateException without {@link BatchOptions#withLogits}
     * @throws IllegalArgumentException if the sequence took no part in the last step, or there
     *     is no such node
     */
    public float[] logits(int sequence, int node) {
        requireSequence(sequence);
        passes.requireLogits(BatchOptions.class);
        if (logitRows[sequence] == NONE || node < 0 || node >= logitNodes[sequence]) {
            throw new IllegalArgumentException("the last step has no node " + node + " of sequence " + sequence);
        }
        return passes.logits(logitRows[sequence] + node);
    }

    /** {@return what this session did for all sequences since it was made or {@link #resetStatistics} was called} */
    public SessionStatistics statistics() {
        return counter.statistics();
    }

    /** Begins the statistics anew. */
    public void resetStatistics() {
        counter.reset();
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
