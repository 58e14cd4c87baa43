package io.hydra4j.model;

import io.hydra4j.InsufficientMemoryException;
import io.hydra4j.format.Tensor;
import io.hydra4j.runtime.Backend;
import io.hydra4j.runtime.BackendKind;
import io.hydra4j.runtime.Buffer;
import io.hydra4j.runtime.KvPool;
import io.hydra4j.runtime.KvType;
import io.hydra4j.runtime.Matrix;
import io.hydra4j.runtime.PassRows;
import io.hydra4j.runtime.Program;
import io.hydra4j.runtime.Resources;
import io.hydra4j.runtime.Rope;
import io.hydra4j.runtime.TopK;
import io.hydra4j.runtime.TreeTopology;
import io.hydra4j.runtime.WeightType;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.DoubleConsumer;

/**
 * A loaded decoder: its weights on a backend, its KV pages, and its recorded forward pass. Immutable after loading
 * and safe to share between threads. Sessions may be closed after it, and keep its memory until then.
 */
public final class DecoderModel implements AutoCloseable {
    /**
     * Sessions of full length that the KV pages suffice for: on the CPU, where their memory is taken as they grow. A GPU has
     * at most as many, and at least one.
     */
    public static final int SESSIONS = 16;

    private final Backend backend;
    private final DecoderConfig config;
    private final WeightLoader loader;
    private final Matrix embedding;
    private final Matrix lmHead;
    private final Buffer finalNorm;
    private final List<DecoderLayer> layers = new ArrayList<>();
    private final List<Rope> ropes = new ArrayList<>();
    private final Rope draftRope;
    private final KvPool pool;
    private final KvPages pages;
    private final List<String> notices = new ArrayList<>();

    private DecoderModel(
            Backend backend,
            DecoderConfig config,
            DecoderTensors tensors,
            WeightLoader loader,
            KvType kv,
            long kvTokens,
            long reserve) {
        this.backend = backend;
        this.loader = loader;
        embedding = loader.matrix(tensors.embedding());
        lmHead = tensors.lmHead() == tensors.embedding() ? embedding : loader.matrix(tensors.lmHead());
        finalNorm = loader.vector(tensors.finalNorm(), null, tensors.normOffset());
        for (int i = 0; i < config.layers(); i++) {
            layers.add(new DecoderLayer(
                    loader,
                    config,
                    config.attention().get(i).window(),
                    config.rotated(),
                    tensors.layers().get(i),
                    tensors.interleavedRope(),
                    tensors.normOffset()));
        }
        float[] factors = RopeFactors.of(loader, tensors.ropeFactors());
        loader.finish();
        if (!tensors.notice().isEmpty()) {
            notices.add(tensors.notice());
        }
        if (config.shortContext() > 0) {
            notices.add("rotary position embeddings are those for texts of more than " + config.shortContext()
                    + " tokens (LongRoPE), for the context is " + config.context() + ": a context of at most "
                    + config.shortContext() + " takes those for short texts");
        }
        this.config = factors == null ? config : config.withDividedAngles(factors);
        Map<RopeAngles, Rope> made = new HashMap<>();
        for (LayerAttention layer : this.config.attention()) {
            ropes.add(rope(made, layer.rope()));
        }
        draftRope = rope(made, this.config.draftAngles());
        WeightType kvType = kvType(kv, backend, tensors, loader.convertTo());
        pages = new KvPages(
                kvTokens > 0 ? pages(kvTokens) : sessions(kvType, tensors, reserve) * pagesFor(config.context()));
        pool = loader.own(
                KvPool.create(backend, kvType, config.layers(), config.kvHeads(), config.headSize(), pages.count()));
        pages.add(pool);
    }

    /**
     * Loads the weights.
     *
     * @param convertTo the type of all matrices, or null to keep the file's
     * @param progress gets the loaded fraction, 0 to 1
     * @throws io.hydra4j.HydraException if memory is short or a file cannot be mapped
     */
    public static DecoderModel load(Backend backend, ModelFiles files, WeightType convertTo, DoubleConsumer progress) {
        return load(backend, files, convertTo, KvType.AUTO, 0, 0, progress);
    }

    /**
     * Loads the weights; as {@link #load(Backend, ModelFiles, WeightType, DoubleConsumer)}.
     *
     * @param kv how keys and values are kept
     * @param kvTokens tokens whose keys and values there is room for, of all sessions; 0 for {@link #SESSIONS} contexts
     * @param reserve bytes of a GPU's memory to leave for what is loaded next
     * @throws io.hydra4j.HydraException also if the backend cannot keep keys and values so
     */
    public static DecoderModel load(
            Backend backend,
            ModelFiles files,
            WeightType convertTo,
            KvType kv,
            long kvTokens,
            long reserve,
            DoubleConsumer progress) {
        long bytes = files.tensors().all().stream().mapToLong(Tensor::bytes).sum();
        return load(
                backend,
                files.config(),
                files.tensors(),
                new WeightLoader(backend, convertTo, bytes, progress),
                kv,
                kvTokens,
                reserve);
    }

    /**
     * A model of any shape with pseudo-random weights, made on the backend: for measuring, as what it costs depends on the
     * shape alone. Activations stay finite through all layers; the same seed gives the same model on every backend.
     *
     * @param type the type of all matrices
     * @throws InsufficientMemoryException if a GPU does not have enough memory; nothing was made then
     * @throws io.hydra4j.HydraException if the type has no kernel, or memory is short
     */
    public static DecoderModel random(Backend backend, DecoderConfig config, WeightType type, long seed) {
        return random(backend, config, type, KvType.AUTO, seed);
    }

    /**
     * A model with pseudo-random weights; as {@link #random(Backend, DecoderConfig, WeightType, long)}.
     *
     * @param kv how keys and values are kept
     * @throws io.hydra4j.HydraException also if the backend cannot keep keys and values so
     */
    public static DecoderModel random(Backend backend, DecoderConfig config, WeightType type, KvType kv, long seed) {
        DecoderTensors tensors = DecoderTensors.fromHuggingFace(
                RandomWeights.tensors(type), config, DecoderFamily.LLAMA, false, List.of());
        MemoryNeed.of(backend, config, tensors, null, kv, 0).require();
        return load(backend, config, tensors, WeightLoader.random(backend, seed), kv, 0, 0);
    }

    private static DecoderModel load(
            Backend backend,
            DecoderConfig config,
            DecoderTensors tensors,
            WeightLoader loader,
            KvType kv,
            long kvTokens,
            long reserve) {
        try {
            return new DecoderModel(backend, config, tensors, loader, kv, kvTokens, reserve);
        } catch (RuntimeException | Error e) {
            Resources.closeAfter(e, loader);
            throw e;
        }
    }

    /** Keys and values get half of what a GPU has left. */
    private int sessions(WeightType kvType, DecoderTensors tensors, long reserve) {
        if (backend.kind() == BackendKind.CPU) {
            return SESSIONS;
        }
        long left = backend.memory().freeBytes() - reserve - MemoryNeed.setAside(backend, config, tensors.all());
        return (int) Math.max(1, Math.min(SESSIONS, left / 2 / MemoryNeed.sessionBytes(config, kvType)));
    }

    /** The type that keys and values of a model with these matrices have. */
    static WeightType kvType(KvType kv, Backend backend, DecoderTensors tensors, WeightType convertTo) {
        boolean floats = tensors.layers().stream()
                .allMatch(layer -> WeightLoader.typeOf(layer.q(), convertTo) == WeightType.F32);
        return kv.on(backend, floats);
    }

    /** Pages for a full context and one whole tree after it. */
    static int pagesFor(int context) {
        return (context + TreeTopology.MAX_NODES + KvPool.PAGE_POSITIONS - 1) / KvPool.PAGE_POSITIONS;
    }

    private Rope rope(Map<RopeAngles, Rope> made, RopeAngles angles) {
        return made.computeIfAbsent(
                angles,
                each -> loader.own(
                        Rope.create(backend, config.headSize(), each.array(), each.scale(), config.context())));
    }

    /** Records: rows' tokens → {@code buffers.hidden()}, keys and values of all layers stored. */
    public void recordForward(Program program, PassRows rows, PassBuffers buffers) {
        Scales scales = config.scales();
        // 1 is none to the operation, too.
        float scale = scales.embedding() / scales.residual();
        program.embed(rows, embedding, scale == 1 ? 0 : scale, buffers.x());
        for (int i = 0; i < layers.size(); i++) {
            layers.get(i).record(program, rows, buffers, ropes.get(i), pool, i);
        }
        program.norm(rows, buffers.x(), finalNorm, config.streamEpsilon(), buffers.hidden());
    }

    /**
     * Records: {@code buffers.hidden()} → the best entries of each row, or of the last row of each sequence alone.
     *
     * @param logits receives all logits, {@code float[rows][vocabulary]}; null to leave them out
     */
    public void recordLmHead(
            Program program, PassRows rows, boolean selectedRowsOnly, PassBuffers buffers, TopK top, Buffer logits) {
        Scales scales = config.scales();
        program.lmHead(
                rows,
                selectedRowsOnly,
                buffers.hidden(),
                lmHead,
                null,
                null,
                scales.logits() == 1 ? 0 : scales.logits(),
                scales.logitCap(),
                top,
                logits);
    }

    /** Pages for so many tokens. */
    static int pages(long tokens) {
        return Math.toIntExact((tokens + KvPool.PAGE_POSITIONS - 1) / KvPool.PAGE_POSITIONS);
    }

    /** Pages that a session's table needs for a full context and one whole tree. */
    public int pagesPerSession() {
        return pagesFor(config.context());
    }

    /** Bytes of weights that one pass over few rows reads. */
    public long bytesPerPass() {
        return layers.stream().mapToLong(DecoderLayer::bytes).sum() + lmHead.bytes();
    }

    public Backend backend() {
        return backend;
    }

    public DecoderConfig config() {
        return config;
    }

    /** Embedding, {@code [vocabulary, hidden]}. */
    public Matrix embedding() {
        return embedding;
    }

    /** LM head, {@code [vocabulary, hidden]}; the embedding itself where they are tied. */
    public Matrix lmHead() {
        return lmHead;
    }

    /** The angles of a layer of draft heads. */
    public Rope draftRope() {
        return draftRope;
    }

    public KvPool pool() {
        return pool;
    }

    public KvPages pages() {
        return pages;
    }

    /** What there is to say of the files, a line each: tensors that were left aside, factors for other contexts. Unmodifiable. */
    public List<String> notices() {
        return Collections.unmodifiableList(notices);
    }

    @Override
    public void close() {
        loader.close();
    }
}
