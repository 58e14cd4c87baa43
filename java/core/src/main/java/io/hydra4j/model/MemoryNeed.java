package io.hydra4j.model;

import io.hydra4j.InsufficientMemoryException;
import io.hydra4j.format.Tensor;
import io.hydra4j.runtime.Backend;
import io.hydra4j.runtime.BackendKind;
import io.hydra4j.runtime.KvPool;
import io.hydra4j.runtime.KvType;
import io.hydra4j.runtime.TreeTopology;
import io.hydra4j.runtime.WeightType;
import io.hydra4j.runtime.Workspace;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.ToLongFunction;
import java.util.stream.Stream;

/**
 * What a model needs of memory, part by part: known from the headers of its files, before anything is loaded. A GPU is asked
 * whether it has so much; the CPU takes its memory as it is used and is not asked. Not thread-safe.
 */
public final class MemoryNeed {
    /**
     * What the driver keeps on a GPU: the code of the kernels, graphs of programs, and 64 bytes that threads of kernels with spilled
     * registers have each.
     */
    static final long DRIVER = 64L << 20;

    // Layers of small models are tasks of one kernel (tasks.cuh), of which each graph has a list: up to six a layer.
    // Graphs of a session: of 1, 8, 16, 32 and 64 rows with parts of prompts, with plain steps and with trees.
    private static final int LAYER_TASKS = 6;
    private static final int TASK_GRAPHS = 15;

    // Matrices are packed in whole tiles: those of few rows or columns take much more memory than their values.
    private static final int TILE_ROWS = 16;
    private static final int TILE_COLUMNS = 32;
    private static final int R8_COLUMNS = 64;

    /** Rows of the vocabulary's width beside logits: noise of the positions of a deep tree, counts, biases. */
    private static final int NOISE_ROWS = 12;
    /** Most rows whose logits a draft keeps where it ranks by noise: no more nodes of a tree have children on one level. */
    private static final int DRAFTING_ROWS = TreeTopology.MAX_NODES / 2;

    private static final double GIB = 1L << 30;

    private static final String WORKSPACE = "workspace";
    private static final String WEIGHTS = "weights";
    private static final String HEADS = "draft heads";
    private static final String TOKENS = "keys and values of kvTokens";
    private static final String TABLES = "draft tables";

    private final Backend backend;
    private final Map<String, Long> parts = new LinkedHashMap<>();

    private final WeightType kvType;
    private final long kvBytes;
    private final long activationBytes;
    /** Of the base, and of its heads. */
    private final List<Tensor> tensors = new ArrayList<>();

    private MemoryNeed(Backend backend, DecoderConfig config, WeightType kvType, int pages) {
        this.backend = backend;
        this.kvType = kvType;
        kvBytes = kvBytes(config, kvType, pages);
        activationBytes = PassBuffers.bytes(config, PassBuffers.promptRows(backend, config.context()));
    }

    /**
     * What the base model needs for one session of full length.
     *
     * @param backend what it is to be loaded on
     * @param convertTo the type of all matrices, or null to keep the file's
     * @param kv how keys and values are to be kept
     * @throws io.hydra4j.HydraException if the backend cannot keep them so
     */
    public static MemoryNeed of(Backend backend, ModelFiles files, WeightType convertTo, KvType kv) {
        return of(backend, files, convertTo, kv, 0);
    }

    /**
     * What the base model needs with room for some tokens; as {@link #of(Backend, ModelFiles, WeightType, KvType)}.
     *
     * @param kvTokens tokens whose keys and values there is to be room for; 0 for one session of full length
     */
    public static MemoryNeed of(Backend backend, ModelFiles files, WeightType convertTo, KvType kv, long kvTokens) {
        return of(backend, files.config(), files.tensors(), convertTo, kv, kvTokens);
    }

    static MemoryNeed of(
            Backend backend,
            DecoderConfig config,
            DecoderTensors tensors,
            WeightType convertTo,
            KvType kv,
            long kvTokens) {
        int pages = kvTokens > 0 ? DecoderModel.pages(kvTokens) : DecoderModel.pagesFor(config.context());
        MemoryNeed need = new MemoryNeed(backend, config, DecoderModel.kvType(kv, backend, tensors, convertTo), pages);
        need.parts.put(WEIGHTS, need.weights(tensors.all(), convertTo));
        need.parts.put(kvTokens > 0 ? TOKENS : "keys and values of one session", need.kvBytes);
        need.parts.put("activations of one session", need.activationBytes + samplingBytes(config));
        need.parts.put("rotation angles", ropeBytes(config));
        need.tensors.addAll(tensors.all());
        Workspace workspace = workspace(backend, config, need.tensors);
        need.parts.put(WORKSPACE, workspace.bytes());
        if (backend.kind() == BackendKind.CUDA) {
            need.parts.put("the driver's own", DRIVER);
            need.parts.put("lists of tasks", tasksBytes(workspace, config));
        }
        return need;
    }

    /** What a GPU sets aside for one session of full length of a model with these matrices, and what its driver and its graphs keep. */
    static long setAside(Backend gpu, DecoderConfig config, Collection<Tensor> tensors) {
        Workspace workspace = workspace(gpu, config, tensors);
        return workspace.bytes() + DRIVER + tasksBytes(workspace, config);
    }

    private static long tasksBytes(Workspace workspace, DecoderConfig config) {
        return TASK_GRAPHS * LAYER_TASKS * workspace.task() * config.layers();
    }

    /** What the backend sets aside for programs of a session of full length of a model with these matrices. */
    static Workspace workspace(Backend backend, DecoderConfig config, Collection<Tensor> tensors) {
        return backend.workspace(new Workspace.Limits(
                PassBuffers.promptRows(backend, config.context()),
                largest(tensors, Tensor::rows),
                largest(tensors, Tensor::columns),
                config.heads(),
                config.headSize(),
                DecoderModel.pagesFor(config.context()) * KvPool.PAGE_POSITIONS));
    }

    private static long largest(Collection<Tensor> tensors, ToLongFunction<Tensor> size) {
        return tensors.stream()
                .filter(tensor -> tensor.shape().size() > 1)
                .mapToLong(size)
                .max()
                .orElse(1);
    }

    /**
     * Tables of the angles by which the layers and that of draft heads rotate, once they reach the whole context: they double as they
     * grow, and those before stay.
     */
    static long ropeBytes(DecoderConfig config) {
        long kinds = Stream.concat(
                        config.attention().stream().map(LayerAttention::rope), Stream.of(config.draftAngles()))
                .distinct()
                .count();
        return kinds * 2 * config.context() * config.headSize() * Float.BYTES;
    }

    /** What draft heads need whose base is loaded. */
    public static MemoryNeed ofHeads(Collection<Tensor> tensors, DecoderModel base) {
        DecoderConfig config = base.config();
        return new MemoryNeed(
                        base.backend(), config, base.pool().type(), base.pages().count())
                .addHeads(tensors, null, config);
    }

    /** Adds draft heads, keys, values and activations of their own layer included. */
    public MemoryNeed addHeads(Collection<Tensor> tensors, WeightType convertTo, DecoderConfig base) {
        this.tensors.addAll(tensors);
        parts.computeIfPresent(WORKSPACE, (name, bytes) -> workspace(backend, base, this.tensors)
                .bytes());
        parts.put(
                HEADS,
                weights(tensors, convertTo)
                        + kvBytes / base.layers()
                        + activationBytes
                        + logitsBytes(base, DRAFTING_ROWS));
        return this;
    }

    /** Adds tables for the heads. */
    public MemoryNeed addDraftTables(long bytes) {
        parts.put(TABLES, bytes);
        return this;
    }

    /** What a session that samples has beside its activations. */
    private static long samplingBytes(DecoderConfig config) {
        return logitsBytes(config, TreeTopology.MAX_NODES + 1 + NOISE_ROWS) + 4L * config.context();
    }

    private static long logitsBytes(DecoderConfig config, long rows) {
        return rows * config.vocabulary() * Float.BYTES;
    }

    /** Bytes of the KV pages of one session of full length. */
    static long sessionBytes(DecoderConfig config, WeightType kvType) {
        return kvBytes(config, kvType, DecoderModel.pagesFor(config.context()));
    }

    private static long kvBytes(DecoderConfig config, WeightType kvType, int pages) {
        long values = 2L * config.layers() * config.kvHeads() * config.headSize() * KvPool.PAGE_POSITIONS;
        return pages * kvType.bytes(values);
    }

    private long weights(Collection<Tensor> tensors, WeightType convertTo) {
        var once = new HashSet<Tensor>();
        return tensors.stream()
                .filter(tensor -> tensor.bytes() == 0 || once.add(tensor.unnamed()))
                .mapToLong(tensor -> bytes(tensor, convertTo))
                .sum();
    }

    private long bytes(Tensor tensor, WeightType convertTo) {
        if (tensor.shape().size() < 2) {
            return tensor.values() * Float.BYTES;
        }
        WeightType type = WeightLoader.typeOf(tensor, convertTo);
        // Their 6-bit scales take a byte each.
        int scales = type == WeightType.Q4_K || type == WeightType.Q5_K ? 4 : 0;
        int blockBytes = type.blockBytes() + scales;
        int unit = type == WeightType.R8 ? R8_COLUMNS : Math.max(TILE_COLUMNS, type.blockValues());
        int scaleBytes = type == WeightType.R8 ? Float.BYTES : 0;
        long columns = roundUp(tensor.columns(), unit);
        return roundUp(tensor.rows(), TILE_ROWS) * (columns / type.blockValues() * blockBytes + scaleBytes);
    }

    private static long roundUp(long value, long unit) {
        return (value + unit - 1) / unit * unit;
    }

    /** Bytes by what they are for, in words. Unmodifiable. */
    public Map<String, Long> parts() {
        return Collections.unmodifiableMap(parts);
    }

    /** Bytes in all. */
    public long bytes() {
        return parts.values().stream().mapToLong(Long::longValue).sum();
    }

    /** Bytes of the draft heads and their tables; 0 where there are none. */
    public long headsBytes() {
        return parts.getOrDefault(HEADS, 0L) + parts.getOrDefault(TABLES, 0L);
    }

    /**
     * Refuses a GPU that does not have so much memory free.
     *
     * @throws InsufficientMemoryException with need, shortfall, the largest part and the remedy
     */
    public void require() {
        if (backend.kind() == BackendKind.CUDA) {
            require(backend.memory().freeBytes());
        }
    }

    void require(long free) {
        if (bytes() <= free) {
            return;
        }
        Map.Entry<String, Long> largest =
                parts.entrySet().stream().max(Map.Entry.comparingByValue()).orElseThrow();
        throw new InsufficientMemoryException(
                String.format(
                        Locale.ROOT,
                        "the model needs %.2f GiB of the GPU's memory and %.2f GiB are free: %.2f GiB are missing; the"
                                + " largest part are the %s with %.2f GiB: %s, or use the CPU",
                        bytes() / GIB,
                        free / GIB,
                        (bytes() - free) / GIB,
                        largest.getKey(),
                        largest.getValue() / GIB,
                        remedy(largest.getKey())),
                bytes(),
                free);
    }

    private String remedy(String part) {
        return switch (part) {
            case WEIGHTS, HEADS -> "convert them to Q8_0 or Q4_0 on load";
            case TABLES -> "do without them";
            case TOKENS -> "open the model with fewer kvTokens";
            case WORKSPACE -> "end other programs that use the GPU";
            default -> "open the model with a shorter context"
                    + (kvType == WeightType.F32 ? ", keep them in f16 (kv)" : "");
        };
    }
}
