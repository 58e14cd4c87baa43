package io.hydra4j.heads;

import io.hydra4j.format.GgufWriter;
import io.hydra4j.format.Tensor;
import io.hydra4j.format.TensorType;
import io.hydra4j.heads.HeadsConfig.Kind;
import io.hydra4j.model.DecoderConfig;
import io.hydra4j.model.WeightFiles;
import io.hydra4j.runtime.WeightType;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Writes heads as a compact file: the layout of {@link HeadsFiles}, matrices quantised, private LM heads trimmed to a draft
 * vocabulary. Matrices that are one in the source are one in the file. Norms and biases are F32; matrices whose columns are no multiple of the type's block become BF16.
 */
public final class CompactHeads {
    /** Rows that are converted at a time. */
    private static final int CHUNK_ROWS = 256;

    private final HeadsTensors heads;
    private final WeightType type;
    private final List<Integer> vocabulary;
    private final WeightFiles files = new WeightFiles();
    private final GgufWriter writer = new GgufWriter();
    /** Matrices that are written whole, and under which name. */
    private final Map<Tensor, String> written = new HashMap<>();
    /** Each name that has no bytes of its own, and the name after it whose bytes it stands for. */
    private final List<String> same = new ArrayList<>();

    private CompactHeads(HeadsTensors heads, WeightType type, List<Integer> vocabulary) {
        this.heads = heads;
        this.type = type;
        this.vocabulary = vocabulary;
    }

    /**
     * Writes a compact file; it appears under its name only when it is complete.
     *
     * @param heads heads that fit the base
     * @param base the base's configuration
     * @param baseName the name of the base, for readers of the file; may be empty
     * @param type the type of matrices: F32, F16, BF16, Q8_0, Q4_0 or Q4_1
     * @param vocabulary the draft vocabulary, most frequent first, a part of the heads' own if they have one; null to keep theirs
     * @param order the order in which trees grow; null to leave it out
     * @throws io.hydra4j.HydraException if a file cannot be read or written
     * @throws IllegalArgumentException if nothing can be converted to the type, or the vocabulary is smaller than {@link
     *     HeadsTensors#MIN_VOCABULARY} or has an id that the heads do not draft
     */
    public static void write(
            Path target,
            HeadsTensors heads,
            DecoderConfig base,
            String baseName,
            WeightType type,
            List<Integer> vocabulary,
            TreeOrder order) {
        if (!type.isEncodable()) {
            throw new IllegalArgumentException("nothing can be converted to " + type);
        }
        if (vocabulary != null && vocabulary.size() < HeadsTensors.MIN_VOCABULARY) {
            throw new IllegalArgumentException("a draft vocabulary of " + vocabulary.size() + " tokens: at least "
                    + HeadsTensors.MIN_VOCABULARY + " are needed");
        }
        var compact = new CompactHeads(heads, type, vocabulary == null ? heads.draftVocabulary() : vocabulary);
        try {
            compact.putMetadata(base, baseName);
            if (order != null) {
                order.put(compact.writer);
            }
            compact.addTensors();
            if (!compact.same.isEmpty()) {
                compact.writer.put(HydraHeads.SAME_TENSORS, compact.same.toArray(String[]::new));
            }
            compact.writer.write(target);
        } finally {
            compact.files.close();
        }
    }

    private void putMetadata(DecoderConfig base, String baseName) {
        var config = heads.config();
        writer.put("general.architecture", "hydra")
                .put("hydra.head_arch", config.kind() == Kind.HYDRA_PLUS_PLUS ? "prefix-mlp" : "mlp")
                .put("hydra.grounded", config.kind().isGrounded())
                .put("hydra.head_count", config.heads())
                .put("hydra.layer_count", config.layers())
                .put("hydra.lm_head", config.baseLmHead() ? "base" : "private")
                .put("hydra.embedding_length", base.hidden())
                .put("hydra.vocabulary_size", base.vocabulary())
                .put("hydra.base_model", baseName);
        if (vocabulary != null) {
            writer.put(
                    "hydra.draft_vocabulary",
                    vocabulary.stream().mapToLong(Integer::longValue).toArray());
        }
    }

    private void addTensors() {
        if (heads.prefix() != null) {
            for (Tensor tensor : heads.prefix().layer().all()) {
                add(tensor.name(), tensor, null);
            }
            add(HeadsSizes.PREFIX_NORM, heads.prefix().norm(), null);
        }
        int[] rows = lmHeadRows();
        for (int i = 0; i < heads.heads().size(); i++) {
            var head = heads.heads().get(i);
            for (int j = 0; j < head.blocks().size(); j++) {
                var block = head.blocks().get(j);
                var name = "hydra_mlp." + i + "." + j;
                add(name + ".linear.weight", block.linear(), null);
                add(name + ".linear.bias", block.linearBias(), null);
                add(name + ".res_connection.weight", block.skip(), null);
                add(name + ".res_connection.bias", block.skipBias(), null);
            }
            add("hydra_lm_head." + i + ".weight", head.lmHead(), rows);
            add("hydra_lm_head." + i + ".bias", head.lmHeadBias(), rows);
        }
    }

    /** The rows of the private LM heads that belong to the vocabulary; null for all of them in their order. */
    private int[] lmHeadRows() {
        if (vocabulary == null) {
            return null;
        }
        var own = heads.draftVocabulary();
        if (own == null) {
            return vocabulary.stream().mapToInt(Integer::intValue).toArray();
        }
        var rowOfId = new HashMap<Integer, Integer>();
        for (int row = 0; row < own.size(); row++) {
            rowOfId.put(own.get(row), row);
        }
        if (!rowOfId.keySet().containsAll(vocabulary)) {
            throw new IllegalArgumentException("the vocabulary has an id that the heads do not draft");
        }
        return vocabulary.stream().mapToInt(rowOfId::get).toArray();
    }

    /** Adds a tensor, if there is one, with those of its rows (values of a vector) that are asked for. */
    private void add(String name, Tensor tensor, int[] rows) {
        if (tensor == null) {
            return;
        }
        if (rows == null && tensor.shape().size() > 1) {
            String first = written.putIfAbsent(tensor.unnamed(), name);
            if (first != null) {
                same.addAll(List.of(name, first));
                return;
            }
        }
        boolean isVector = tensor.shape().size() == 1;
        long columns = isVector ? 1 : tensor.columns();
        long count = rows != null ? rows.length : tensor.values() / columns;
        var target = isVector ? WeightType.F32 : columns % type.blockValues() == 0 ? type : WeightType.BF16;
        var shape = isVector ? List.of(count) : List.of(count, columns);
        writer.tensor(name, TensorType.valueOf(target.name()), shape, out -> {
            for (long from = 0; from < count; from += CHUNK_ROWS) {
                int chunk = (int) Math.min(CHUNK_ROWS, count - from);
                out.write(target.encode(values(tensor, columns, rows, from, chunk)));
            }
        });
    }

    private float[] values(Tensor tensor, long columns, int[] rows, long from, int count) {
        var file = files.of(tensor);
        int id = tensor.type().id();
        long rowBytes = tensor.type().bytes(columns);
        if (rows == null) {
            return file.floats(id, tensor.offset() + from * rowBytes, count * rowBytes, count * columns);
        }
        float[] values = new float[Math.toIntExact(count * columns)];
        for (int i = 0; i < count; i++) {
            long row = rows[(int) from + i];
            float[] one = file.floats(id, tensor.offset() + row * rowBytes, rowBytes, columns);
            System.arraycopy(one, 0, values, (int) (i * columns), one.length);
        }
        return values;
    }
}
