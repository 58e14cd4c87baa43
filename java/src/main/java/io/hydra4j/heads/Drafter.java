package io.hydra4j.heads;

import io.hydra4j.model.LlamaBuffers;
import io.hydra4j.model.LlamaConfig;
import io.hydra4j.runtime.Backend;
import io.hydra4j.runtime.Buffer;
import io.hydra4j.runtime.Matrix;
import io.hydra4j.runtime.Program;
import io.hydra4j.runtime.Resources;
import io.hydra4j.runtime.Rows;
import io.hydra4j.runtime.Sequence;
import io.hydra4j.runtime.Top;
import io.hydra4j.runtime.TreeState;
import java.util.ArrayList;
import java.util.List;

/**
 * The draft of one session, recorded into its programs. {@link #pendingRows()} and {@link #pending()} are where the loop
 * leaves the hidden states of newly verified tokens, in order; {@link #recordAbsorb} takes them into the drafter's own state
 * (the prefix layer's KV; nothing for heads without one), {@link #recordDraft} guesses the tokens of a planted tree.
 *
 * <p>Heads that are not grounded are evaluated side by side, with one pass through a shared LM head; grounded heads level by
 * level, all parents of a level in one pass. Not thread-safe.
 */
public final class Drafter implements AutoCloseable {
    private final DraftHeads heads;
    private final LlamaConfig config;
    private final Rows pendingRows;
    private final Buffer pending;
    private final LlamaBuffers prefix;
    private final Rows levelRows;
    private final Rows headRows;
    private final List<Top> tops = new ArrayList<>();
    private final Resources owned = new Resources();

    /**
     * @param sequence the session's sequence
     * @param candidates most candidates of one parent that a tree may ask for, 1 to 32
     */
    public Drafter(DraftHeads heads, Sequence sequence, int candidates) {
        this.heads = heads;
        config = heads.base().config();
        Backend backend = heads.base().backend();
        pendingRows = owned.own(Rows.create(sequence));
        prefix = heads.prefixLayer() == null ? null : owned.own(LlamaBuffers.create(backend, config));
        // The prefix layer works in place on the states that the loop leaves.
        pending = prefix == null ? owned.own(LlamaBuffers.rows(backend, config.hidden())) : prefix.x();
        levelRows = owned.own(Rows.create(sequence));
        headRows = owned.own(Rows.create(sequence));
        int count = sharesLmHead() ? 1 : heads.heads().size();
        for (int i = 0; i < count; i++) {
            int vocabulary = (int)
                    Math.min(Integer.MAX_VALUE, heads.heads().get(i).lmHead().rows());
            tops.add(owned.own(Top.create(backend, Math.min(candidates, vocabulary))));
        }
    }

    /** Rows of the hidden states that the loop left last. */
    public Rows pendingRows() {
        return pendingRows;
    }

    /** {@code float[64][hidden]}: those states; {@link #recordAbsorb} may overwrite them. */
    public Buffer pending() {
        return pending;
    }

    /** Whether skipping {@link #recordAbsorb} for some verified tokens would leave a hole in the drafter's state. */
    public boolean keepsState() {
        return prefix != null;
    }

    /** The deepest tree that the heads can fill. */
    public int maxDepth() {
        return heads.heads().size();
    }

    /** The best candidates of a head after a step: rows as drafted, for tests and tools. */
    public Top top(int head) {
        return tops.get(sharesLmHead() ? 0 : head);
    }

    /** Whether all heads' candidates come from one pass: {@link #top} then has a row for each head. */
    public boolean sharesLmHead() {
        return !heads.config().kind().isGrounded() && heads.config().baseLmHead();
    }

    /** Records the prefix layer over the pending states, where there is one. */
    public void recordAbsorb(Program program) {
        if (prefix == null) {
            return;
        }
        heads.prefixLayer().record(program, pendingRows, prefix, heads.base().rope(), heads.prefixPool(), 0);
        program.norm(pendingRows, prefix.x(), heads.prefixNorm(), config.normEpsilon(), prefix.hidden());
    }

    /** Records the guesses for all nodes of a tree but the root, whose token stands in {@code nodes}. */
    public void recordDraft(Program program, TreeState tree, Rows nodes) {
        Buffer hidden = prefix == null ? pending : prefix.hidden();
        if (heads.config().kind().isGrounded()) {
            recordGrounded(program, tree, nodes, hidden);
        } else {
            recordIndependent(program, tree, nodes, hidden);
        }
    }

    private void recordGrounded(Program program, TreeState tree, Rows nodes, Buffer hidden) {
        Backend backend = heads.base().backend();
        Matrix embedding = heads.base().embedding();
        Buffer inputs = owned.own(LlamaBuffers.rows(backend, (heads.heads().size() + 1L) * config.hidden()));
        Buffer state = owned.own(LlamaBuffers.rows(backend, config.hidden()));
        for (int level = 0; level < heads.heads().size(); level++) {
            DraftHeads.Head head = heads.heads().get(level);
            program.draftInputs(tree, level, nodes, pendingRows, hidden, embedding, levelRows, inputs);
            recordBlocks(program, head, inputs, state, state, 0);
            program.lmHead(
                    levelRows, false, state, head.lmHead(), head.lmHeadBias(), heads.draftIds(), tops.get(level), null);
            program.draftTokens(tree, level, tops.get(level), -1, nodes);
        }
    }

    private void recordIndependent(Program program, TreeState tree, Rows nodes, Buffer hidden) {
        Backend backend = heads.base().backend();
        int count = heads.heads().size();
        Buffer inputs = owned.own(LlamaBuffers.rows(backend, config.hidden()));
        Buffer between = owned.own(LlamaBuffers.rows(backend, config.hidden()));
        Buffer states = owned.own(Buffer.floats(backend, (Rows.MAX_ROWS + (long) count) * config.hidden()));
        for (int level = 0; level < count; level++) {
            DraftHeads.Head head = heads.heads().get(level);
            program.draftInputs(tree, level, nodes, pendingRows, hidden, null, levelRows, inputs);
            if (sharesLmHead()) {
                recordBlocks(program, head, inputs, between, states, level);
                continue;
            }
            recordBlocks(program, head, inputs, between, states, 0);
            program.lmHead(
                    levelRows,
                    false,
                    states,
                    head.lmHead(),
                    head.lmHeadBias(),
                    heads.draftIds(),
                    tops.get(level),
                    null);
            program.draftTokens(tree, level, tops.get(level), 0, nodes);
        }
        if (sharesLmHead()) {
            DraftHeads.Head first = heads.heads().get(0);
            program.draftLevels(tree, headRows);
            program.lmHead(headRows, false, states, first.lmHead(), null, heads.draftIds(), tops.get(0), null);
            for (int level = 0; level < count; level++) {
                program.draftTokens(tree, level, tops.get(0), level, nodes);
            }
        }
    }

    /** The blocks of a head from {@code inputs}, through {@code between}, into row {@code firstRow} of {@code out} on. */
    private void recordBlocks(
            Program program, DraftHeads.Head head, Buffer inputs, Buffer between, Buffer out, int firstRow) {
        Buffer x = inputs;
        for (int i = 0; i < head.blocks().size(); i++) {
            DraftHeads.Block block = head.blocks().get(i);
            boolean last = i == head.blocks().size() - 1;
            Buffer target = last ? out : between;
            program.block(
                    levelRows,
                    x,
                    block.linear(),
                    block.linearBias(),
                    block.skip(),
                    block.skipBias(),
                    last ? firstRow : 0,
                    target);
            x = target;
        }
    }

    @Override
    public void close() {
        owned.close();
    }
}
