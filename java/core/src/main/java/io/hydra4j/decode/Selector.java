package io.hydra4j.decode;

import io.hydra4j.model.DecoderModel;
import io.hydra4j.model.PassBuffers;
import io.hydra4j.runtime.Batch;
import io.hydra4j.runtime.Buffer;
import io.hydra4j.runtime.PassRows;
import io.hydra4j.runtime.Program;
import io.hydra4j.runtime.Resources;
import io.hydra4j.runtime.TopK;
import io.hydra4j.runtime.TreeTopology;
import java.util.Arrays;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * What selects tokens in the passes of a session: at the nodes of a step's trees, and after prompts. All logits are kept only where
 * the session samples, judges guesses by them, tells log-probabilities or keeps them for its user. Not thread-safe.
 */
final class Selector {
    private final DecoderModel model;
    private final int vocabulary;
    /** Null where every sequence is greedy for good. */
    private final io.hydra4j.runtime.Sampling sampling;

    private final Acceptance acceptance;
    private final Sampling[] options;
    private final Buffer selection;
    private final Rows ofNodes;
    private final Rows ofPrompts;

    /** The rows at which tokens are selected in one kind of passes. */
    private final class Rows {
        final int rows;
        final TopK best;
        /** {@code float[rows][vocabulary]}, or null. */
        final Buffer logits;
        /** {@code float[rows][2]}: the selected token's logit, and the logarithm of the sum of all logits' exponentials; or null. */
        final Buffer likelihoods;

        /** @param top entries that are told of each row; -1 for no log-probabilities at all */
        Rows(Resources owned, int rows, int top, boolean keepsLogits) {
            var backend = model.backend();
            this.rows = rows;
            best = owned.own(TopK.create(backend, Math.max(1, Math.min(top, vocabulary)), rows));
            logits = keepsLogits ? owned.own(Buffer.floats(backend, (long) rows * vocabulary)) : null;
            likelihoods = top == SessionOptions.NONE ? null : owned.own(Buffer.floats(backend, 2L * rows));
        }

        void record(Program program, PassRows rows, PassBuffers buffers) {
            model.recordLmHead(program, rows, true, buffers, best, logits);
            program.select(rows, best, logits, vocabulary, sampling, selection, likelihoods);
        }

        Selected read(int count) {
            int[] tokens = new int[count];
            selection.read(0, tokens);
            return new Selected(tokens, likelihoods.readFloats(0, 2 * count), best, logits, vocabulary);
        }
    }

    /**
     * What a session asks of its selector.
     *
     * @param sampling how tokens are selected at first; null where they are the best for good
     * @param logProbabilities how many of the best tokens are told of each row; {@link SessionOptions#NONE} where nothing is
     * @param keepLogits of the nodes of a step, for the session's user
     * @param acceptance which guesses steps keep
     */
    record Needs(Sampling sampling, int logProbabilities, boolean keepLogits, Acceptance acceptance) {
        static Needs of(
                Optional<Sampling> sampling, OptionalInt logProbabilities, boolean keepLogits, Acceptance acceptance) {
            return new Needs(
                    sampling.orElse(null), logProbabilities.orElse(SessionOptions.NONE), keepLogits, acceptance);
        }

        boolean tells() {
            return logProbabilities != SessionOptions.NONE;
        }
    }

    /**
     * @param owned closes all that is made
     * @param nodes most nodes of all trees of a step
     * @param levels the deepest tree
     * @param selections most tokens that a pass selects
     */
    Selector(Resources owned, DecoderModel model, Batch batch, Needs needs, int nodes, int levels, int selections) {
        this.model = model;
        vocabulary = model.config().vocabulary();
        int size = batch.sequences();
        options = new Sampling[size];
        Arrays.fill(options, needs.sampling());
        boolean usesLogits = needs.sampling() != null || needs.tells();
        if (needs.sampling() == null) {
            sampling = null;
        } else {
            needs.sampling().requireFit(vocabulary);
            sampling = owned.own(io.hydra4j.runtime.Sampling.create(batch, vocabulary, levels));
        }
        selection = owned.own(Buffer.ints(model.backend(), selections));
        acceptance = needs.acceptance();
        boolean keepsLogits = needs.keepLogits() || usesLogits || acceptance.isTypical();
        ofNodes = new Rows(owned, nodes, needs.logProbabilities(), keepsLogits);
        ofPrompts = new Rows(owned, size, needs.logProbabilities(), usesLogits);
        if (sampling != null) {
            for (int s = 0; s < size; s++) {
                use(s, needs.sampling());
            }
        }
    }

    /** What programs that draft and commit take: how sequences sample, or null. */
    io.hydra4j.runtime.Sampling sampling() {
        return sampling;
    }

    /** How a sequence's tokens are selected now. */
    Sampling sampling(int sequence) {
        return options[sequence] == null ? Sampling.GREEDY : options[sequence];
    }

    /**
     * @param sessionOptions the class whose {@code withSampling} the user should call
     * @throws NullPointerException if it is null
     * @throws IllegalArgumentException if it does not fit the model
     * @throws IllegalStateException if the session was not made to sample
     */
    void require(Sampling options, Class<?> sessionOptions) {
        SessionOptions.requireSampling(options).requireFit(vocabulary);
        acceptance.requireFit(options);
        if (sampling == null) {
            throw new IllegalStateException("this session selects the best tokens for good: make it with "
                    + sessionOptions.getSimpleName() + ".withSampling(Sampling.GREEDY) to change that later");
        }
    }

    /** Sets how a sequence's tokens are selected from now on. */
    void use(int sequence, Sampling options) {
        sampling.set(sequence, options.values());
        this.options[sequence] = options;
    }

    /** {@code int32[]}: the tokens selected in a pass, in the order of its rows. */
    Buffer selection() {
        return selection;
    }

    /** {@code float[nodes][vocabulary]}, or null. */
    Buffer logits() {
        return ofNodes.logits;
    }

    /** Records what a pass needs before guesses are made and tokens selected: the noise of its positions, and counts of tokens. */
    void recordPrepare(Program program, PassRows rows) {
        if (sampling != null) {
            program.prepareSelection(rows, sampling);
        }
    }

    /** Records that a token is selected at every node of trees, and after each chain. */
    void recordNodes(Program program, PassRows rows, PassBuffers buffers) {
        ofNodes.record(program, rows, buffers);
    }

    /** Records that a token is selected after each chain of prompts. */
    void recordPrompts(Program program, PassRows rows, PassBuffers buffers) {
        ofPrompts.record(program, rows, buffers);
    }

    /** Records that the logits of all rows of a prompt are kept. */
    void recordLogits(Program program, PassRows rows, PassBuffers buffers) {
        model.recordLmHead(program, rows, false, buffers, ofNodes.best, ofNodes.logits);
    }

    /** Records that the nodes of trees are judged: by the tokens that were selected, or by the logits. */
    void recordJudge(Program program, TreeTopology topology, PassRows rows) {
        if (acceptance.isTypical()) {
            program.judgeTypical(
                    topology,
                    rows,
                    ofNodes.logits,
                    ofNodes.rows,
                    vocabulary,
                    acceptance.temperature(),
                    acceptance.epsilon(),
                    acceptance.alpha());
        } else {
            program.judge(topology, rows, selection);
        }
    }

    /**
     * Refuses tokens of the caller's own where guesses are judged by their likelihoods.
     *
     * @throws IllegalStateException if they are
     */
    void requireExact() {
        if (acceptance.isTypical()) {
            throw new IllegalStateException(
                    "this session accepts what is likely enough, not what equals selected tokens:"
                            + " call accept(), or make it with Acceptance.exact()");
        }
    }

    /** What the last step's pass has selected. */
    Selected nodes(int count) {
        return ofNodes.read(count);
    }

    /** What the last pass over prompts alone has selected. */
    Selected prompts(int count) {
        return ofPrompts.read(count);
    }
}
