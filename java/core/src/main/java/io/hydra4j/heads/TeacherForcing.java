package io.hydra4j.heads;

import io.hydra4j.model.DecoderConfig;
import io.hydra4j.model.PassBuffers;
import io.hydra4j.runtime.Backend;
import io.hydra4j.runtime.Buffer;
import io.hydra4j.runtime.PassRows;
import io.hydra4j.runtime.Program;
import io.hydra4j.runtime.Resources;
import io.hydra4j.runtime.TopK;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Draft heads evaluated along a text that is known: at every position each head is given the tokens that really follow, and
 * tells the rank of the next one among its candidates. A step that began at a position accepts a path exactly as long as its
 * nodes have these ranks, whatever the tree, for candidates are the same to the bit as in a step. The positions of
 * a pass are computed together.
 *
 * <p>It follows a session that takes the text in: it reads the hidden states of its last pass, and leaves them as they are. Not
 * thread-safe.
 */
public final class TeacherForcing implements AutoCloseable {
    /** Stands for a rank where the token is not among the candidates. */
    public static final int MISSED = TopK.MAX_K;

    /** One head: from {@code inputs}, {@code float[rows][width]}, to candidates. */
    private record Level(Program program, Buffer inputs, TopK top) {}

    private final DraftHeads heads;
    private final PassRows rows;
    private final Buffer hiddenStates;
    private final int hidden;
    private final Resources owned = new Resources();
    private final PassBuffers prefix;
    private final Program prefixProgram;
    private final List<Level> levels = new ArrayList<>();
    private final Map<Integer, float[]> embeddings = new HashMap<>();

    /**
     * @param heads heads to evaluate
     * @param rows the positions of a pass in which a session takes the text in
     * @param hiddenStates {@code float[rows][hidden]}: their hidden states in the base
     */
    public TeacherForcing(DraftHeads heads, PassRows rows, Buffer hiddenStates) {
        this.heads = heads;
        this.rows = rows;
        this.hiddenStates = hiddenStates;
        DecoderConfig config = heads.base().config();
        Backend backend = heads.base().backend();
        hidden = config.hidden();
        try {
            prefix =
                    heads.prefixLayer() == null ? null : owned.own(PassBuffers.create(backend, config, rows.maxRows()));
            prefixProgram = prefix == null ? null : owned.own(Program.create(backend));
            if (prefix != null) {
                heads.prefixLayer()
                        .record(prefixProgram, rows, prefix, heads.base().draftRope(), heads.prefixPool(), 0);
                prefixProgram.norm(rows, prefix.x(), heads.prefixNorm(), config.normEpsilon(), prefix.hidden());
            }
            Buffer state = owned.own(Buffer.floats(backend, (long) rows.maxRows() * hidden));
            for (int i = 0; i < heads.heads().size(); i++) {
                levels.add(record(heads.heads().get(i), inputWidth(i), state));
            }
        } catch (RuntimeException | Error e) {
            Resources.closeAfter(e, owned);
            throw e;
        }
    }

    private Level record(DraftHeads.Head head, int width, Buffer state) {
        Backend backend = heads.base().backend();
        Program program = owned.own(Program.create(backend));
        Buffer inputs = owned.own(Buffer.floats(backend, (long) rows.maxRows() * width));
        TopK top = owned.own(
                TopK.create(backend, (int) Math.min(TopK.MAX_K, head.lmHead().rows()), rows.maxRows()));
        Buffer x = inputs;
        for (DraftHeads.Block block : head.blocks()) {
            program.block(rows, x, block.linear(), block.linearBias(), block.skip(), block.skipBias(), 0, state);
            x = state;
        }
        program.lmHead(rows, false, state, head.lmHead(), head.lmHeadBias(), heads.draftIds(), top, null);
        return new Level(program, inputs, top);
    }

    /** The hidden state, and for grounded heads the embeddings of the root and of the tokens drafted before. */
    private int inputWidth(int level) {
        return heads.config().kind().isGrounded() ? (level + 2) * hidden : hidden;
    }

    /**
     * Evaluates the positions that the session took in last; call it after each pass, in order.
     *
     * @param tokens the text
     * @param first the first of the positions
     * @param count how many there are
     * @param wanted the first position that has to be evaluated; a pass that ends before it only goes through the prefix layer
     * @return {@code [count][heads]}: at position p, for head i, the rank of token p + 2 + i given those before it;
     *     {@link #MISSED} where it is not among the best 32. Positions whose tokens are not all
     *     there have null instead of a row, and so have those that are not wanted
     */
    public int[][] ranks(int[] tokens, int first, int count, int wanted) {
        int[][] ranks = new int[count][];
        float[] states = hiddenStates.readFloats(0, count * hidden);
        if (prefix != null) {
            prefix.x().write(0, states);
            prefixProgram.run();
            prefix.hidden().read(0, states);
        }
        int known = Math.min(count, tokens.length - 1 - levels.size() - first);
        if (known <= 0 || first + count <= wanted) {
            return ranks;
        }
        for (int p = 0; p < known; p++) {
            ranks[p] = new int[levels.size()];
        }
        for (int i = 0; i < levels.size(); i++) {
            Level level = levels.get(i);
            level.inputs().write(0, inputs(i, states, tokens, first, known));
            level.program().run();
            for (int p = 0; p < known; p++) {
                ranks[p][i] = rank(level.top(), p, tokens[first + p + 2 + i]);
            }
        }
        return ranks;
    }

    private float[] inputs(int level, float[] states, int[] tokens, int first, int known) {
        int width = inputWidth(level);
        float[] inputs = new float[known * width];
        for (int p = 0; p < known; p++) {
            System.arraycopy(states, p * hidden, inputs, p * width, hidden);
            for (int j = 1; j < width / hidden; j++) {
                float[] embedding = embeddings.computeIfAbsent(
                        tokens[first + p + j], token -> heads.base().embedding().read(token));
                System.arraycopy(embedding, 0, inputs, p * width + j * hidden, hidden);
            }
        }
        return inputs;
    }

    private static int rank(TopK top, int row, int token) {
        for (int rank = 0; rank < top.k(); rank++) {
            if (top.id(row, rank) == token) {
                return rank;
            }
        }
        return MISSED;
    }

    @Override
    public void close() {
        owned.close();
    }
}
