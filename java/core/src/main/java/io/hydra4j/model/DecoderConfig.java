package io.hydra4j.model;

import io.hydra4j.format.Fields;
import io.hydra4j.format.FormatException;
import io.hydra4j.format.TensorTable;
import java.util.LinkedHashSet;
import java.util.List;

/**
 * The sizes and constants of a Llama-family model. The factories take nothing on trust: every value is compared with the
 * limits stated here, and features that the forward pass does not have are errors, never ignored. Immutable.
 *
 * @param layers transformer layers
 * @param hidden values of a hidden state
 * @param heads query heads
 * @param kvHeads key and value heads; divides {@code heads}
 * @param headSize values of a head, a multiple of 8; {@code heads * headSize} need not be {@code hidden}
 * @param feedForward values of the inner feed-forward vector
 * @param vocabulary tokens; ids run from 0 to {@code vocabulary - 1}
 * @param context the most tokens of a sequence
 * @param ropeBase base of the rotary frequencies
 * @param normEpsilon what RMSNorm adds to the mean square
 * @param tiedEmbedding whether the LM head is the embedding matrix
 * @param bosId the token that begins a text, -1 if there is none
 * @param eosIds the tokens that end a text, any of them; may be empty
 */
public record DecoderConfig(
        int layers,
        int hidden,
        int heads,
        int kvHeads,
        int headSize,
        int feedForward,
        int vocabulary,
        int context,
        float ropeBase,
        float normEpsilon,
        boolean tiedEmbedding,
        int bosId,
        List<Integer> eosIds) {
    /** The most layers. */
    public static final int MAX_LAYERS = 1 << 10;
    /** The largest hidden size; also the limit of {@code heads * headSize}. */
    public static final int MAX_HIDDEN = 1 << 16;
    /** The most query heads. */
    public static final int MAX_HEADS = 1 << 10;
    /** The largest head size. */
    public static final int MAX_HEAD_SIZE = 256;
    /** What the head size must be a multiple of. */
    public static final int HEAD_SIZE_STEP = 8;
    /** The largest feed-forward size. */
    public static final int MAX_FEED_FORWARD = 1 << 20;
    /** The largest vocabulary. */
    public static final int MAX_VOCABULARY = 1 << 21;
    /** The longest context. */
    public static final int MAX_CONTEXT = 1 << 21;
    /** The most end-of-sequence ids that one field may list. */
    public static final int MAX_EOS_IDS = 64;
    /** The largest RoPE base; the smallest is 1. */
    public static final float MAX_ROPE_BASE = 1e12f;
    /** The largest RMSNorm epsilon; the smallest is the smallest normal float. */
    public static final float MAX_NORM_EPSILON = 1;

    private static final String ARCHITECTURE = "llama";
    private static final float DEFAULT_ROPE_BASE = 10000;

    /** Makes the list of ids unmodifiable. */
    public DecoderConfig {
        eosIds = List.copyOf(eosIds);
    }

    /** Rows of the query projection: {@code heads * headSize}. */
    public int queryRows() {
        return heads * headSize;
    }

    /** Rows of the key projection and of the value projection: {@code kvHeads * headSize}. */
    public int keyValueRows() {
        return kvHeads * headSize;
    }

    /**
     * Reads the configuration of a GGUF model of the architecture {@code llama}.
     *
     * @param metadata the file's metadata
     * @param tensors the file's tensors: the embedding gives the vocabulary where no key does, and a missing output matrix
     *     means a tied embedding
     * @throws FormatException.UnknownArchitecture if the architecture is another
     * @throws FormatException.UnsupportedType if the model needs a feature that the forward pass does not have
     * @throws FormatException.MissingField if a key is missing
     * @throws FormatException.InvalidValue if a value makes no sense
     */
    public static DecoderConfig fromGguf(Fields metadata, TensorTable tensors) {
        if (!metadata.string("general.architecture").equals(ARCHITECTURE)) {
            throw metadata.unknownArchitecture("general.architecture", ARCHITECTURE);
        }
        rejectGgufFeatures(metadata);
        int hidden = metadata.integer("llama.embedding_length", 1, MAX_HIDDEN);
        int heads = metadata.integer("llama.attention.head_count", 1, MAX_HEADS);
        int kvHeads = kvHeads(metadata, "llama.attention.head_count_kv", heads);
        int headSize = headSize(metadata, "llama.attention.key_length", "llama.embedding_length", hidden, heads);
        requireHeadSize(metadata, "llama.attention.value_length", headSize);
        requireHeadSize(metadata, "llama.rope.dimension_count", headSize);
        int vocabulary = metadata.has("llama.vocab_size")
                ? metadata.integer("llama.vocab_size", 1, MAX_VOCABULARY)
                : embeddingRows(tensors);
        var eosIds = new LinkedHashSet<Integer>();
        for (String name : List.of("eos", "eot", "eom")) {
            eosIds.addAll(metadata.ids("tokenizer.ggml." + name + "_token_id", vocabulary, MAX_EOS_IDS));
        }
        return new DecoderConfig(
                metadata.integer("llama.block_count", 1, MAX_LAYERS),
                hidden,
                heads,
                kvHeads,
                headSize,
                metadata.integer("llama.feed_forward_length", 1, MAX_FEED_FORWARD),
                vocabulary,
                metadata.integer("llama.context_length", 1, MAX_CONTEXT),
                metadata.number("llama.rope.freq_base", DEFAULT_ROPE_BASE, 1, MAX_ROPE_BASE),
                normEpsilon(metadata, "llama.attention.layer_norm_rms_epsilon"),
                !tensors.has("output.weight"),
                bosId(metadata, "tokenizer.ggml.bos_token_id", vocabulary),
                List.copyOf(eosIds));
    }

    /**
     * Reads the configuration of a Hugging Face model of the type {@code llama}.
     *
     * @param config config.json
     * @param generation generation_config.json, or fields without any value: its end-of-sequence ids come first, then those
     *     of {@code config}
     * @throws FormatException.UnknownArchitecture if the model type is another
     * @throws FormatException.UnsupportedType if the model needs a feature that the forward pass does not have
     * @throws FormatException.MissingField if a field is missing
     * @throws FormatException.InvalidValue if a value makes no sense
     */
    public static DecoderConfig fromHuggingFace(Fields config, Fields generation) {
        if (!config.string("model_type").equals(ARCHITECTURE)) {
            throw config.unknownArchitecture("model_type", ARCHITECTURE);
        }
        rejectHuggingFaceFeatures(config);
        int hidden = config.integer("hidden_size", 1, MAX_HIDDEN);
        int heads = config.integer("num_attention_heads", 1, MAX_HEADS);
        int kvHeads = kvHeads(config, "num_key_value_heads", heads);
        int vocabulary = config.integer("vocab_size", 1, MAX_VOCABULARY);
        float outerBase = config.number("rope_theta", DEFAULT_ROPE_BASE, 1, MAX_ROPE_BASE);
        var eosIds = new LinkedHashSet<>(generation.ids("eos_token_id", vocabulary, MAX_EOS_IDS));
        eosIds.addAll(config.ids("eos_token_id", vocabulary, MAX_EOS_IDS));
        return new DecoderConfig(
                config.integer("num_hidden_layers", 1, MAX_LAYERS),
                hidden,
                heads,
                kvHeads,
                headSize(config, "head_dim", "hidden_size", hidden, heads),
                config.integer("intermediate_size", 1, MAX_FEED_FORWARD),
                vocabulary,
                config.integer("max_position_embeddings", 1, MAX_CONTEXT),
                config.object("rope_parameters").number("rope_theta", outerBase, 1, MAX_ROPE_BASE),
                normEpsilon(config, "rms_norm_eps"),
                config.flag("tie_word_embeddings", false),
                bosId(config, "bos_token_id", vocabulary),
                List.copyOf(eosIds));
    }

    private static void rejectGgufFeatures(Fields metadata) {
        var remedy = "this version computes plain Llama models only";
        for (String key : List.of("llama.expert_count", "llama.attention.sliding_window")) {
            if (metadata.integer(key, 0, 0, Integer.MAX_VALUE) != 0) {
                throw metadata.unsupported(key, "0 or no such key", remedy);
            }
        }
        for (String key : List.of("llama.rope.scaling.factor", "llama.rope.scale_linear")) {
            if (metadata.number(key, 1, Float.MIN_NORMAL, Float.MAX_VALUE) != 1) {
                throw metadata.unsupported(key, "1 or no such key", remedy);
            }
        }
        if (!metadata.string("llama.rope.scaling.type", "none").equals("none")) {
            throw metadata.unsupported("llama.rope.scaling.type", "\"none\" or no such key", remedy);
        }
        if (!metadata.flag("llama.attention.causal", true)) {
            throw metadata.unsupported("llama.attention.causal", "true", remedy);
        }
        if (metadata.integer("split.count", 1, 0, Integer.MAX_VALUE) > 1) {
            throw metadata.unsupported("split.count", "one file", "merge the parts with llama-gguf-split --merge");
        }
    }

    private static void rejectHuggingFaceFeatures(Fields config) {
        var remedy = "this version computes plain Llama models only";
        for (String field : List.of("rope_scaling", "rope_parameters")) {
            var rope = config.object(field);
            for (String kind : List.of("rope_type", "type")) {
                if (!rope.string(kind, "default").equals("default")) {
                    throw rope.unsupported(kind, "\"default\" or no " + field, remedy);
                }
            }
            if (rope.number("factor", 1, Float.MIN_NORMAL, Float.MAX_VALUE) != 1) {
                throw rope.unsupported("factor", "1 or no " + field, remedy);
            }
            rejectPartialRotary(rope, remedy);
        }
        rejectPartialRotary(config, remedy);
        if (config.has("sliding_window") && config.flag("use_sliding_window", true)) {
            throw config.unsupported("sliding_window", "null", remedy);
        }
        if (config.flag("mlp_bias", false)) {
            throw config.unsupported("mlp_bias", "false", remedy);
        }
        var activation = config.string("hidden_act", "silu");
        if (!activation.equals("silu") && !activation.equals("swish")) {
            throw config.unsupported("hidden_act", "\"silu\"", remedy);
        }
        if (config.has("quantization_config")) {
            throw config.unsupported(
                    "quantization_config", "no such field", "give the unquantised weights, or a quantised GGUF file");
        }
    }

    private static void rejectPartialRotary(Fields fields, String remedy) {
        if (fields.number("partial_rotary_factor", 1, 0, 1) != 1) {
            throw fields.unsupported("partial_rotary_factor", "1 or no such field", remedy);
        }
    }

    private static int kvHeads(Fields fields, String name, int heads) {
        int kvHeads = fields.integer(name, heads, 1, heads);
        if (heads % kvHeads != 0) {
            throw fields.invalid(name, "a divisor of the " + heads + " query heads");
        }
        return kvHeads;
    }

    private static int headSize(Fields fields, String name, String hiddenName, int hidden, int heads) {
        var expected = "a head size from 8 to " + MAX_HEAD_SIZE + " that is a multiple of " + HEAD_SIZE_STEP;
        if (!fields.has(name) && hidden % heads != 0) {
            throw fields.invalid(hiddenName, "a multiple of the " + heads + " heads, for " + name + " is missing");
        }
        int headSize = fields.has(name) ? fields.integer(name, 1, MAX_HEAD_SIZE) : hidden / heads;
        if (headSize % HEAD_SIZE_STEP != 0 || headSize > MAX_HEAD_SIZE || headSize * heads > MAX_HIDDEN) {
            throw fields.invalid(
                    fields.has(name) ? name : hiddenName,
                    expected + ", " + MAX_HIDDEN + " at most times " + heads + " heads");
        }
        return headSize;
    }

    private static void requireHeadSize(Fields metadata, String name, int headSize) {
        if (metadata.integer(name, headSize, 1, MAX_HEAD_SIZE) != headSize) {
            throw metadata.unsupported(
                    name, "the head size " + headSize, "this version rotates whole heads of one size");
        }
    }

    private static int embeddingRows(TensorTable tensors) {
        var embedding = tensors.requireMatrix(DecoderTensors.GGUF_EMBEDDING);
        if (embedding.rows() > MAX_VOCABULARY) {
            throw new FormatException.TooLarge(
                    embedding.file(), embedding.name(), embedding.rows() + " rows", "at most " + MAX_VOCABULARY);
        }
        return (int) embedding.rows();
    }

    private static float normEpsilon(Fields fields, String name) {
        return fields.number(name, Float.MIN_NORMAL, MAX_NORM_EPSILON);
    }

    private static int bosId(Fields fields, String name, int vocabulary) {
        var ids = fields.ids(name, vocabulary, 1);
        return ids.isEmpty() ? -1 : ids.get(0);
    }
}
