package io.hydra4j.benchmarks;

import io.hydra4j.decode.BatchOptions;
import io.hydra4j.decode.BatchSession;
import io.hydra4j.decode.Tree;
import io.hydra4j.decode.access.Sessions;
import io.hydra4j.heads.DraftHeads;
import io.hydra4j.heads.HeadsConfig;
import io.hydra4j.model.DecoderModel;
import io.hydra4j.runtime.Backend;
import io.hydra4j.runtime.KvPool;
import io.hydra4j.runtime.Resources;
import io.hydra4j.runtime.WeightType;
import java.util.stream.IntStream;

/** A model of a {@link Shape} with weights from a seed, and draft heads likewise, on the backend of this run. */
final class SyntheticModel implements AutoCloseable {
    private static final int HEADS = 4;
    /** Residual blocks of a head, as published for each kind (arXiv 2402.05109). */
    private static final int LAYERS = 1;

    private static final int LAYERS_PLUS_PLUS = 4;
    private static final long SEED = 1;

    private final Resources resources = new Resources();
    private final DecoderModel base;
    private final DraftHeads heads;
    private final int positions;

    private SyntheticModel(Shape shape, WeightType type, Method method, LmHead lmHead, int positions, int batch) {
        try {
            this.positions = positions;
            Backend backend = resources.own(Settings.openBackend());
            // The model has KV pages for so many sequences of its whole context; more of them share these.
            int context = (positions + Tree.MAX_NODES) * ((batch + DecoderModel.SESSIONS - 1) / DecoderModel.SESSIONS);
            base = resources.own(DecoderModel.random(backend, shape.config(context), type, Settings.kv(), SEED));
            heads = method == Method.PLAIN ? null : resources.own(heads(method, lmHead));
        } catch (RuntimeException | Error e) {
            resources.close();
            throw e;
        }
    }

    /**
     * Makes a model.
     *
     * @param type the type of the base's matrices
     * @param variant {@code plain}, or {@code METHOD/HEAD} with an LM head as {@link LmHead#parse} reads it
     * @param positions room of a sequence
     * @param batch sequences at a time
     * @throws io.hydra4j.HydraException if the variant means nothing, or memory is short
     */
    static SyntheticModel open(Shape shape, WeightType type, String variant, int positions, int batch) {
        int slash = variant.indexOf('/');
        Method method = Variant.method(slash < 0 ? variant : variant.substring(0, slash));
        LmHead lmHead = slash < 0 ? LmHead.BASE : LmHead.parse(variant.substring(slash + 1));
        return new SyntheticModel(shape, type, method, lmHead, positions, batch);
    }

    private DraftHeads heads(Method method, LmHead lmHead) {
        HeadsConfig config = new HeadsConfig(
                HeadsConfig.Kind.valueOf(method.name()),
                HEADS,
                method == Method.HYDRA_PLUS_PLUS ? LAYERS_PLUS_PLUS : LAYERS,
                lmHead.isBase(),
                "");
        return DraftHeads.random(base, config, Settings.syntheticHeadWeights(), lmHead.tokens(), SEED + 1);
    }

    DecoderModel base() {
        return base;
    }

    /** @param chunk as {@link BatchOptions#prefillTokens} */
    BatchSession session(int batch, int chunk) {
        return Sessions.batch(
                base,
                heads,
                BatchOptions.of(batch, tree()).withMaxPositions(positions).withPrefillTokens(chunk));
    }

    /** The published tree; the root alone without heads. */
    Tree tree() {
        return heads == null ? Tree.ROOT : Tree.DEFAULT.truncated(HEADS);
    }

    /** So many token ids, anywhere in the vocabulary. */
    int[] prompt(int tokens) {
        int vocabulary = base.config().vocabulary();
        return IntStream.range(0, tokens).map(i -> i * 7919 % vocabulary).toArray();
    }

    /** Bytes of keys and values of one position, in all layers of the base. */
    long bytesPerPosition() {
        return base.pool().pageBytes() / KvPool.PAGE_POSITIONS;
    }

    /** Bytes that a step of sequences of so many positions reads: weights once, keys and values of each. */
    long bytesPerStep(int length, int batch) {
        long cache = bytesPerPosition() * length * batch;
        long bytes = base.bytesPerPass() + cache;
        if (heads != null) {
            bytes += heads.bytesPerStep();
            bytes += heads.config().kind() == HeadsConfig.Kind.HYDRA_PLUS_PLUS
                    ? cache / base.config().layers()
                    : 0;
        }
        return bytes;
    }

    /** Bytes that taking in a prompt of so many tokens reads, a pass for each so many rows. */
    long bytesOfPrefill(int tokens, int rows) {
        long layers = base.bytesPerPass() - base.lmHead().bytes();
        long bytes = base.lmHead().bytes();
        for (int from = 0; from < tokens; from += rows) {
            bytes += layers + bytesPerPosition() * Math.min(tokens, from + rows);
        }
        return bytes;
    }

    @Override
    public void close() {
        resources.close();
    }
}
