package io.hydra4j.heads;

import io.hydra4j.HydraException;
import io.hydra4j.draft.BaseModel;
import io.hydra4j.draft.Drafter;
import io.hydra4j.format.Tensor;
import io.hydra4j.model.DecoderConfig;
import io.hydra4j.model.DecoderLayer;
import io.hydra4j.model.DecoderModel;
import io.hydra4j.model.MemoryNeed;
import io.hydra4j.model.RandomWeights;
import io.hydra4j.model.WeightLoader;
import io.hydra4j.runtime.Buffer;
import io.hydra4j.runtime.KvPool;
import io.hydra4j.runtime.Matrix;
import io.hydra4j.runtime.Resources;
import io.hydra4j.runtime.TopK;
import io.hydra4j.runtime.WeightType;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.DoubleConsumer;
import java.util.stream.IntStream;

/**
 * Loaded draft heads of a base model: Medusa, Hydra or Hydra++ (arXiv 2402.05109). Immutable after loading and safe to share
 * between threads; what is made of it may be closed after it.
 */
public final class DraftHeads implements Drafter, AutoCloseable {
    /** A loaded residual block; {@code skip} and {@code skipBias} are null in blocks that add their input itself. */
    record Block(Matrix linear, Buffer linearBias, Matrix skip, Buffer skipBias) {}

    /** A loaded head; {@code lmHeadBias} may be null. */
    record Head(List<Block> blocks, Matrix lmHead, Buffer lmHeadBias) {}

    private final DecoderModel base;
    private final HeadsConfig config;
    private final WeightLoader loader;
    private final List<Head> heads = new ArrayList<>();
    private final TreeOrder treeOrder;
    private final Buffer draftIds;
    private final DecoderLayer prefixLayer;
    private final Buffer prefixNorm;
    private final KvPool prefixPool;
    private DraftTables tables;

    private DraftHeads(DecoderModel base, HeadsTensors tensors, int[] vocabulary, WeightLoader loader) {
        this.base = base;
        this.loader = loader;
        config = tensors.config();
        treeOrder = tensors.treeOrder();
        Matrix shared = null;
        if (vocabulary == null) {
            draftIds = null;
            shared = base.lmHead();
        } else {
            draftIds = loader.own(Buffer.ints(base.backend(), vocabulary.length));
            draftIds.write(0, vocabulary);
            if (config.baseLmHead()) {
                shared = rowsOf(
                        vocabulary,
                        loader.typeOf(tensors.heads().get(0).blocks().get(0).linear()));
            }
        }
        for (HeadsTensors.Head head : tensors.heads()) {
            List<Block> blocks = new ArrayList<>();
            for (HeadsTensors.Block block : head.blocks()) {
                blocks.add(new Block(
                        loader.matrix(block.linear()),
                        loader.vector(block.linearBias()),
                        block.skip() == null ? null : loader.matrix(block.skip()),
                        loader.vector(block.skipBias())));
            }
            boolean own = head.lmHead() != null;
            heads.add(new Head(
                    blocks,
                    own ? loader.matrix(firstRows(head.lmHead(), vocabulary)) : shared,
                    loader.vector(firstRows(head.lmHeadBias(), vocabulary))));
        }
        if (tensors.prefix() == null) {
            prefixLayer = null;
            prefixNorm = null;
            prefixPool = null;
        } else {
            prefixLayer =
                    DecoderLayer.ofDraft(loader, base.config(), tensors.prefix().layer());
            prefixNorm = loader.vector(tensors.prefix().norm());
            prefixPool = loader.own(KvPool.create(
                    base.backend(),
                    base.pool().type(),
                    1,
                    base.config().kvHeads(),
                    base.config().headSize(),
                    base.pages().count()));
        }
        loader.finish();
        if (prefixPool != null) {
            base.pages().add(prefixPool); // last: a pool that a failure closes must not stay there
        }
    }

    /** Rows of the base's LM head, converted to the heads' type if that can be and is smaller: only acceptance can suffer. */
    private Matrix rowsOf(int[] ids, WeightType type) {
        Matrix lmHead = base.lmHead();
        if (!type.isEncodable() || type.bytes(lmHead.columns()) >= lmHead.type().bytes(lmHead.columns())) {
            return loader.own(lmHead.gather(ids));
        }
        Matrix rows = loader.own(Matrix.create(base.backend(), type, ids.length, lmHead.columns()));
        for (int i = 0; i < ids.length; i++) {
            rows.write(i, lmHead.read(ids[i]));
        }
        return rows;
    }

    /**
     * Loads heads for a base that they have been checked against.
     *
     * @param convertTo the type of all matrices of the heads, or null to keep the file's
     * @param vocabularyLimit how many ids of the heads' draft vocabulary, which holds the most frequent first, to draft
     *     from; 0 for all of them
     * @param progress gets the loaded fraction, 0 to 1
     * @throws io.hydra4j.HydraException if memory is short or a file cannot be mapped
     */
    public static DraftHeads load(
            DecoderModel base,
            HeadsTensors tensors,
            WeightType convertTo,
            int vocabularyLimit,
            DoubleConsumer progress) {
        int[] vocabulary = null;
        if (tensors.draftVocabulary() != null) {
            vocabulary = tensors.draftVocabulary().stream()
                    .limit(vocabularyLimit > 0 ? vocabularyLimit : Integer.MAX_VALUE)
                    .mapToInt(Integer::intValue)
                    .toArray();
        }
        long bytes = tensors.all().stream().mapToLong(Tensor::bytes).sum();
        return load(base, tensors, vocabulary, new WeightLoader(base.backend(), convertTo, bytes, progress));
    }

    /**
     * Heads of any kind with pseudo-random weights, made on the base's backend: for measuring what a draft costs. What they guess is
     * hardly ever right.
     *
     * @param type the type of all matrices
     * @param draftVocabulary how many tokens, from the first on, the heads draft from; 0 for all
     * @throws HydraException if there are more than the base has, or the type has no kernel, or memory is short
     */
    public static DraftHeads random(
            DecoderModel base, HeadsConfig config, WeightType type, int draftVocabulary, long seed) {
        int all = base.config().vocabulary();
        if (draftVocabulary < 0 || draftVocabulary > all) {
            throw new HydraException(
                    "draftVocabulary is " + draftVocabulary + ", must be from 0 (all) to the base's " + all);
        }
        int[] ids = draftVocabulary == 0
                ? null
                : IntStream.range(0, draftVocabulary).toArray();
        List<Integer> vocabulary =
                ids == null ? null : IntStream.of(ids).boxed().toList();
        HeadsTensors tensors = HydraHeads.bindAny(RandomWeights.tensors(type), config, base.config(), vocabulary);
        MemoryNeed.ofHeads(tensors.all(), base).require();
        return load(base, tensors, ids, WeightLoader.random(base.backend(), seed));
    }

    /**
     * Replaces the products of grounded heads' first blocks with the embedding by tables: a step reads less, and memory holds
     * {@link #tableBytes} more. What the heads guess may change by rounding, what is emitted cannot. Does nothing for heads that
     * are not grounded. Before any draft is made; not thread-safe.
     *
     * @throws HydraException if memory is short, or the hidden size is no multiple of 16
     */
    public void makeTables() {
        if (!config.kind().isGrounded() || tables != null) {
            return;
        }
        tables = loader.own(new DraftTables(base, heads));
        for (Head head : heads) {
            loader.release(head.blocks().get(0).linear());
            loader.release(head.blocks().get(0).skip());
        }
    }

    /** Bytes of the tables that {@link #makeTables} makes for such heads. */
    public static long tableBytes(HeadsConfig config, DecoderConfig base) {
        return config.kind().isGrounded() ? DraftTables.bytes(config.heads(), base) : 0;
    }

    private static DraftHeads load(DecoderModel base, HeadsTensors tensors, int[] vocabulary, WeightLoader loader) {
        try {
            return new DraftHeads(base, tensors, vocabulary, loader);
        } catch (RuntimeException | Error e) {
            Resources.closeAfter(e, loader);
            throw e;
        }
    }

    /** As many rows (values of a vector) as there are ids, from the first on; all of them where there is no vocabulary. */
    private static Tensor firstRows(Tensor tensor, int[] vocabulary) {
        if (tensor == null || vocabulary == null || tensor.shape().get(0) == vocabulary.length) {
            return tensor;
        }
        List<Long> shape = new ArrayList<>(tensor.shape());
        shape.set(0, (long) vocabulary.length);
        long values = shape.stream().reduce(1L, Math::multiplyExact);
        return new Tensor(
                tensor.file(),
                tensor.name(),
                tensor.type(),
                shape,
                tensor.offset(),
                tensor.type().bytes(values));
    }

    /** One level for each head. */
    @Override
    public int maxDepth() {
        return config.heads();
    }

    @Override
    public int maxCandidates() {
        return TopK.MAX_K;
    }

    @Override
    public boolean grows() {
        return true;
    }

    @Override
    public void requireFit(BaseModel model) {
        if (base.embedding() != model.embedding()) {
            throw new IllegalArgumentException("the heads were loaded for another model: load them for this one");
        }
    }

    @Override
    public HeadsDraft open(Loop loop) {
        return new HeadsDraft(this, loop);
    }

    public HeadsConfig config() {
        return config;
    }

    /** The model whose tokens these heads guess. */
    public DecoderModel base() {
        return base;
    }

    /** Bytes of weights that drafting one step reads, LM heads included once for each head that is evaluated by itself. */
    public long bytesPerStep() {
        long bytes = prefixLayer == null ? 0 : prefixLayer.bytes();
        bytes += tables == null ? 0 : tables.states().bytes();
        for (Head head : heads) {
            for (Block block :
                    head.blocks().subList(tables == null ? 0 : 1, head.blocks().size())) {
                bytes += block.linear().bytes()
                        + (block.skip() == null ? 0 : block.skip().bytes());
            }
            bytes += head.lmHead().bytes();
        }
        return bytes;
    }

    /** An order in which to grow trees that was measured for these heads; empty if their file has none. */
    public Optional<TreeOrder> treeOrder() {
        return Optional.ofNullable(treeOrder);
    }

    List<Head> heads() {
        return heads;
    }

    Buffer draftIds() {
        return draftIds;
    }

    /** Null where there are none. */
    DraftTables tables() {
        return tables;
    }

    DecoderLayer prefixLayer() {
        return prefixLayer;
    }

    Buffer prefixNorm() {
        return prefixNorm;
    }

    KvPool prefixPool() {
        return prefixPool;
    }

    @Override
    public void close() {
        if (prefixPool != null) {
            base.pages().remove(prefixPool);
        }
        loader.close();
    }
}
