package io.hydra4j.model;

import static io.hydra4j.model.DecoderConfig.MAX_CONTEXT;
import static io.hydra4j.model.DecoderConfig.MAX_EOS_IDS;
import static io.hydra4j.model.DecoderConfig.MAX_FEED_FORWARD;
import static io.hydra4j.model.DecoderConfig.MAX_HEADS;
import static io.hydra4j.model.DecoderConfig.MAX_HEAD_SIZE;
import static io.hydra4j.model.DecoderConfig.MAX_HIDDEN;
import static io.hydra4j.model.DecoderConfig.MAX_LAYERS;
import static io.hydra4j.model.DecoderConfig.MAX_ROPE_BASE;
import static io.hydra4j.model.DecoderConfig.MAX_VOCABULARY;

import io.hydra4j.FormatException;
import io.hydra4j.format.Fields;
import io.hydra4j.format.TensorTable;
import io.hydra4j.runtime.Activation;
import java.util.LinkedHashSet;
import java.util.List;

/** Reads the configuration of a GGUF file, whose keys begin with the name of the family. */
final class GgufConfig {
    private final Fields metadata;
    private final TensorTable tensors;
    private final DecoderFamily family;

    private GgufConfig(Fields metadata, TensorTable tensors, DecoderFamily family) {
        this.metadata = metadata;
        this.tensors = tensors;
        this.family = family;
    }

    /**
     * Reads the configuration of a model.
     *
     * @param metadata the file's metadata
     * @param tensors the file's tensors: the embedding gives the vocabulary where no key does, and a missing output matrix
     *     means a tied embedding
     * @throws FormatException.UnsupportedType if the model needs a feature that the forward pass does not have
     * @throws FormatException.MissingField if a key is missing
     * @throws FormatException.InvalidValue if a value makes no sense
     */
    static DecoderConfig read(Fields metadata, TensorTable tensors, DecoderFamily family) {
        return new GgufConfig(metadata, tensors, family).read();
    }

    private DecoderConfig read() {
        rejectFeatures();
        String hiddenKey = family.key("embedding_length");
        int hidden = metadata.integer(hiddenKey, 1, MAX_HIDDEN);
        int heads = metadata.integer(family.key("attention.head_count"), 1, MAX_HEADS);
        int headSize = ConfigValues.headSize(metadata, family.key("attention.key_length"), hiddenKey, hidden, heads);
        requireHeadSize("attention.value_length", headSize);
        requireHeadSize("rope.dimension_count", headSize);
        int vocabulary = metadata.has(family.key("vocab_size"))
                ? metadata.integer(family.key("vocab_size"), 1, MAX_VOCABULARY)
                : embeddingRows();
        var eosIds = new LinkedHashSet<Integer>();
        for (String name : List.of("eos", "eot", "eom")) {
            eosIds.addAll(metadata.ids("tokenizer.ggml." + name + "_token_id", vocabulary, MAX_EOS_IDS));
        }
        return new DecoderConfig(
                metadata.integer(family.key("block_count"), 1, MAX_LAYERS),
                hidden,
                heads,
                ConfigValues.kvHeads(metadata, family.key("attention.head_count_kv"), heads),
                headSize,
                metadata.integer(family.key("feed_forward_length"), 1, MAX_FEED_FORWARD),
                vocabulary,
                metadata.integer(family.key("context_length"), 1, MAX_CONTEXT),
                metadata.number(family.key("rope.freq_base"), ConfigValues.DEFAULT_ROPE_BASE, 1, MAX_ROPE_BASE),
                ConfigValues.normEpsilon(metadata, family.key("attention.layer_norm_rms_epsilon")),
                Activation.SILU,
                !tensors.has(family.gguf().lmHead()),
                ConfigValues.bosId(metadata, "tokenizer.ggml.bos_token_id", vocabulary),
                List.copyOf(eosIds));
    }

    private void rejectFeatures() {
        for (String name : List.of("expert_count", "attention.sliding_window")) {
            if (metadata.integer(family.key(name), 0, 0, Integer.MAX_VALUE) != 0) {
                throw unsupported(name, "0 or no such key");
            }
        }
        for (String name : List.of("rope.scaling.factor", "rope.scale_linear")) {
            if (metadata.number(family.key(name), 1, Float.MIN_NORMAL, Float.MAX_VALUE) != 1) {
                throw unsupported(name, "1 or no such key");
            }
        }
        if (!metadata.string(family.key("rope.scaling.type"), "none").equals("none")) {
            throw unsupported("rope.scaling.type", "\"none\" or no such key");
        }
        if (!metadata.flag(family.key("attention.causal"), true)) {
            throw unsupported("attention.causal", "true");
        }
        if (metadata.integer("split.count", 1, 0, Integer.MAX_VALUE) > 1) {
            throw metadata.unsupported("split.count", "one file", "merge the parts with llama-gguf-split --merge");
        }
    }

    private FormatException unsupported(String name, String expected) {
        return metadata.unsupported(family.key(name), expected, ConfigValues.remedy(family));
    }

    private void requireHeadSize(String name, int headSize) {
        String key = family.key(name);
        if (metadata.integer(key, headSize, 1, MAX_HEAD_SIZE) != headSize) {
            throw metadata.unsupported(
                    key, "the head size " + headSize, "this version rotates whole heads of one size");
        }
    }

    private int embeddingRows() {
        var embedding = tensors.requireMatrix(family.gguf().embedding());
        if (embedding.rows() > MAX_VOCABULARY) {
            throw new FormatException.TooLarge(
                    embedding.file(), embedding.name(), embedding.rows() + " rows", "at most " + MAX_VOCABULARY);
        }
        return (int) embedding.rows();
    }
}
