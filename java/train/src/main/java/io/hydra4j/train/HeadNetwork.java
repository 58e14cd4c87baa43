package io.hydra4j.train;

import io.hydra4j.model.DecoderConfig;
import io.hydra4j.train.HeadsDesign.LmHead;
import io.hydra4j.train.device.BlockPass;
import io.hydra4j.train.device.LossPass;
import io.hydra4j.train.device.Texts;
import io.hydra4j.train.device.TrainBuffer;
import io.hydra4j.train.device.TrainDevice;
import java.util.ArrayList;
import java.util.List;

/**
 * The heads over a batch, forward and backward. With h the hidden size, head i computes {@code LM(block_L(... block_1(z)))} where z is
 * the state at its row, of the prefix layer where there is one, and for grounded heads the embeddings of the i + 1 tokens after it. What
 * it keeps is of one batch. Not thread-safe.
 */
final class HeadNetwork {
    /** Sites of noise are apart from those of dropout. */
    private static final int EMBEDDING_NOISE = 1 << 20;

    private static final int STATE_NOISE = 1 << 21;

    private final TrainDevice device;
    private final HeadsDesign design;
    private final Objective objective;
    private final FrozenBase base;
    private final HeadParameters layout;
    private final ParameterViews views;
    private final int hidden;

    /** The base's states, {@code [positions][hidden]}. */
    private final TrainBuffer states;
    /** Ids of the batch's tokens, and their embeddings with noise. */
    private final TrainBuffer tokens;

    private final TrainBuffer embeddings;
    /** The states with noise; null where there is none. */
    private final TrainBuffer noisyStates;

    private final PrefixLayer prefix;
    private final List<Head> heads = new ArrayList<>();
    /** The gradient of a first block's input, and that with the columns of embeddings; null without prefix layer. */
    private final TrainBuffer gInput;

    private final TrainBuffer gWide;

    /**
     * What is kept of a head.
     *
     * @param width of its input
     * @param input {@code [positions][width]}
     * @param inner {@code [blocks][positions][hidden]}: what blocks' activations are of
     * @param outputs {@code [blocks][positions][hidden]}
     * @param gOutput {@code [positions][hidden]}
     * @param gathered ids {@code [parts][positions]}: the rows that the parts of its input are gathered from
     * @param targets ids {@code [positions]}
     * @param teacherRows ids {@code [positions]}
     */
    private record Head(
            int width,
            TrainBuffer input,
            List<TrainBuffer> inner,
            List<TrainBuffer> outputs,
            TrainBuffer gOutput,
            List<TrainBuffer> gathered,
            TrainBuffer targets,
            TrainBuffer teacherRows) {}

    /** @param positions the most of a batch */
    HeadNetwork(
            TrainDevice device,
            HeadsDesign design,
            Objective objective,
            FrozenBase base,
            HeadParameters layout,
            ParameterViews views,
            long positions) {
        this.device = device;
        this.design = design;
        this.objective = objective;
        this.base = base;
        this.layout = layout;
        this.views = views;
        hidden = base.config().hidden();
        states = device.floats(positions * hidden);
        tokens = device.ints(positions);
        embeddings = design.isGrounded() ? device.floats(positions * hidden) : null;
        boolean noisy = objective.embeddingNoise() > 0 && !design.hasPrefixLayer();
        noisyStates = noisy ? device.floats(positions * hidden) : null;
        prefix = design.hasPrefixLayer() ? new PrefixLayer(device, base.config(), views, positions) : null;
        for (int i = 0; i < design.heads(); i++) {
            heads.add(head(i, positions));
        }
        gInput = prefix == null ? null : device.floats(positions * hidden);
        int widest = heads.get(heads.size() - 1).width();
        gWide = prefix == null || objective.dropout() == 0 ? null : device.floats(positions * widest);
    }

    private Head head(int index, long positions) {
        int width = width(design, hidden, index);
        List<TrainBuffer> inner = new ArrayList<>();
        List<TrainBuffer> outputs = new ArrayList<>();
        for (int block = 0; block < design.blocks(); block++) {
            inner.add(device.floats(positions * hidden));
            outputs.add(device.floats(positions * hidden));
        }
        List<TrainBuffer> gathered = new ArrayList<>();
        for (int part = 0; part < width / hidden; part++) {
            gathered.add(device.ints(positions));
        }
        return new Head(
                width,
                device.floats(positions * width),
                inner,
                outputs,
                device.floats(positions * hidden),
                gathered,
                device.ints(positions),
                device.ints(positions));
    }

    private static int width(HeadsDesign design, int hidden, int head) {
        return design.isGrounded() ? (head + 2) * hidden : hidden;
    }

    /** Values that a batch of so many positions keeps. */
    static long values(HeadsDesign design, Objective objective, DecoderConfig base, long positions) {
        int hidden = base.hidden();
        long values = 3L * hidden;
        long widest = 0;
        for (int i = 0; i < design.heads(); i++) {
            int width = width(design, hidden, i);
            values += width + (2L * design.blocks() + 1) * hidden + width / hidden + 2;
            widest = width;
        }
        long prefix = design.hasPrefixLayer()
                ? PrefixLayer.values(base, positions) + positions * (hidden + (objective.dropout() > 0 ? widest : 0))
                : 0;
        return positions * values + prefix;
    }

    /** Where the base's states of a batch belong before {@link #learn}, {@code [positions][hidden]}. */
    TrainBuffer states() {
        return states;
    }

    /**
     * Adds the gradients of a batch.
     *
     * @param scales {@code [heads]}: what the cross-entropies of a head's rows are multiplied by
     * @param seed of dropout and noise
     * @param pass the number of this batch in the training, for dropout and noise
     * @return of each head what its rows come to
     */
    List<LossPass.Sums> learn(HeadBatch batch, double[] scales, long seed, int pass) {
        Texts texts = new Texts(batch.starts());
        TrainBuffer seen = forward(batch, texts, seed, pass);
        List<LossPass.Sums> sums = device.loss(loss(batch, scales));
        if (prefix != null) {
            device.fill((long) batch.positions() * hidden, 0, prefix.gradient());
        }
        for (int i = 0; i < heads.size(); i++) {
            backward(i, batch.rows().get(i).length, batch.positions(), seed, pass);
        }
        if (prefix != null) {
            prefix.backward(texts, seen);
        }
        return sums;
    }

    /** @return the states that the prefix layer sees, or the heads */
    private TrainBuffer forward(HeadBatch batch, Texts texts, long seed, int pass) {
        TrainBuffer seen = noisyStates == null ? states : noisyStates;
        if (noisyStates != null) {
            noise(batch, states, STATE_NOISE, seed, pass, noisyStates);
        }
        TrainBuffer state = prefix == null ? seen : prefix.forward(texts, seen);
        if (embeddings != null) {
            tokens.upload(0, batch.tokens());
            device.gather(
                    batch.positions(),
                    hidden,
                    base.embedding(),
                    base.config().vocabulary(),
                    tokens,
                    embeddings,
                    hidden,
                    0);
            if (objective.embeddingNoise() > 0) {
                noise(batch, embeddings, EMBEDDING_NOISE, seed, pass, embeddings);
            }
        }
        for (int i = 0; i < heads.size(); i++) {
            forward(i, batch, state, seed, pass);
        }
        return seen;
    }

    /** NEFTune's: the longer a text, the less. */
    private void noise(HeadBatch batch, TrainBuffer x, int site, long seed, int pass, TrainBuffer y) {
        for (int i = 0; i < batch.sequences(); i++) {
            long from = batch.starts()[i] * hidden;
            long count = batch.starts()[i + 1] * hidden - from;
            float scale = (float) (objective.embeddingNoise() / Math.sqrt(count));
            try (TrainBuffer source = x.view(from, count);
                    TrainBuffer target = y.view(from, count)) {
                device.noise(count, scale, seed, pass, site + i, source, target);
            }
        }
    }

    private void forward(int index, HeadBatch batch, TrainBuffer state, long seed, int pass) {
        Head head = heads.get(index);
        int[] at = batch.rows().get(index);
        for (int part = 0; part < head.gathered().size(); part++) {
            head.gathered().get(part).upload(0, shifted(at, part));
            device.gather(
                    at.length,
                    hidden,
                    part == 0 ? state : embeddings,
                    batch.positions(),
                    head.gathered().get(part),
                    head.input(),
                    head.width(),
                    (long) part * hidden);
        }
        TrainBuffer x = head.input();
        for (int block = 0; block < design.blocks(); block++) {
            dropout((long) at.length * width(index, block), seed, pass, site(index, block), x);
            device.blockForward(block(index, block, at.length));
            x = head.outputs().get(block);
        }
        dropout((long) at.length * hidden, seed, pass, site(index, design.blocks()), x);
    }

    private static int[] shifted(int[] rows, int by) {
        int[] shifted = new int[rows.length];
        for (int i = 0; i < rows.length; i++) {
            shifted[i] = rows[i] + by;
        }
        return shifted;
    }

    private int width(int head, int block) {
        return block == 0 ? heads.get(head).width() : hidden;
    }

    private int site(int head, int block) {
        return head * (design.blocks() + 1) + block;
    }

    private void dropout(long count, long seed, int pass, int site, TrainBuffer x) {
        if (objective.dropout() > 0) {
            device.dropout(count, (float) objective.dropout(), seed, pass, site, x, x);
        }
    }

    private BlockPass block(int index, int block, long rows) {
        Head head = heads.get(index);
        String name = layout.block(index, block);
        return new BlockPass(
                rows,
                width(index, block),
                hidden,
                block == 0 ? head.input() : head.outputs().get(block - 1),
                views.value(name + ".linear.weight"),
                views.value(name + ".linear.bias"),
                views.value(name + ".res_connection.weight"),
                views.value(name + ".res_connection.bias"),
                head.inner().get(block),
                head.outputs().get(block));
    }

    private LossPass loss(HeadBatch batch, double[] scales) {
        boolean distils = objective.teacherWeight() > 0;
        boolean own = design.lmHead() == LmHead.PRIVATE;
        List<LossPass.Head> passes = new ArrayList<>();
        for (int i = 0; i < heads.size(); i++) {
            Head head = heads.get(i);
            int[] at = batch.rows().get(i);
            int[] targets = new int[at.length];
            for (int r = 0; r < at.length; r++) {
                targets[r] = base.index(batch.tokens()[at[r] + i + 2]);
            }
            head.targets().upload(0, targets);
            head.teacherRows().upload(0, shifted(at, i + 1));
            String name = layout.lmHead(i);
            passes.add(new LossPass.Head(
                    at.length,
                    head.outputs().get(design.blocks() - 1),
                    own ? views.value(name + ".weight") : base.lmHead(),
                    views.value(name + ".bias"),
                    head.targets(),
                    distils ? head.teacherRows() : null,
                    null,
                    null,
                    (float) (objective.dataWeight() * scales[i]),
                    (float) (objective.teacherWeight() * scales[i]),
                    head.gOutput(),
                    own ? views.gradient(name + ".weight") : null,
                    views.gradient(name + ".bias"),
                    null,
                    null));
        }
        float cap = base.config().scales().logitCap();
        LossPass.Teacher teacher =
                distils ? new LossPass.Teacher(hidden, batch.positions(), states, base.teacher(), cap) : null;
        return new LossPass(hidden, base.draftVocabulary(), teacher, passes);
    }

    private void backward(int index, int rows, long positions, long seed, int pass) {
        Head head = heads.get(index);
        TrainBuffer g = head.gOutput();
        for (int block = design.blocks() - 1; block >= 0; block--) {
            dropout((long) rows * hidden, seed, pass, site(index, block + 1), g);
            String name = layout.block(index, block);
            boolean first = block == 0;
            TrainBuffer gX = !first ? g : gInput;
            device.blockBackward(
                    block(index, block, rows),
                    new BlockPass.Gradients(
                            g,
                            head.inner().get(block),
                            false,
                            hidden,
                            gX,
                            views.gradient(name + ".linear.weight"),
                            views.gradient(name + ".linear.bias"),
                            views.gradient(name + ".res_connection.weight"),
                            views.gradient(name + ".res_connection.bias")));
        }
        if (prefix != null) {
            scatter(index, rows, positions, seed, pass);
        }
    }

    /** Adds the gradient of a head's input to that of the states that were gathered into it. */
    private void scatter(int index, int rows, long positions, long seed, int pass) {
        Head head = heads.get(index);
        TrainBuffer g = gInput;
        int width = hidden;
        if (objective.dropout() > 0) {
            // Which elements were left out follows from their place in the whole input.
            width = head.width();
            g = gWide;
            device.copyColumns(rows, hidden, gInput, hidden, 0, gWide, width, 0);
            dropout((long) rows * width, seed, pass, site(index, 0), gWide);
        }
        device.scatterAdd(rows, hidden, g, width, 0, head.gathered().get(0), prefix.gradient(), positions);
    }
}
