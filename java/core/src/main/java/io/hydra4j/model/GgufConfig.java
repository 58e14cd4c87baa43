package io.hydra4j.model;

import static io.hydra4j.model.DecoderConfig.MAX_CONTEXT;
import static io.hydra4j.model.DecoderConfig.MAX_EOS_IDS;
import static io.hydra4j.model.DecoderConfig.MAX_FEED_FORWARD;
import static io.hydra4j.model.DecoderConfig.MAX_HEADS;
import static io.hydra4j.model.DecoderConfig.MAX_HEAD_SIZE;
import static io.hydra4j.model.DecoderConfig.MAX_HIDDEN;
import static io.hydra4j.model.DecoderConfig.MAX_LAYERS;
import static io.hydra4j.model.DecoderConfig.MAX_VOCABULARY;

import io.hydra4j.FormatException;
import io.hydra4j.format.Fields;
import io.hydra4j.format.TensorTable;
import io.hydra4j.model.FamilyTraits.Windows;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.function.IntPredicate;

/** Reads the configuration of a GGUF file, whose keys begin with the name of the family. */
final class GgufConfig {
    private final Fields metadata;
    private final TensorTable tensors;
    private final DecoderFamily family;
    private final FamilyTraits traits;
    private final int wantedContext;

    private GgufConfig(Fields metadata, TensorTable tensors, DecoderFamily family, int wantedContext) {
        this.metadata = metadata;
        this.tensors = tensors;
        this.family = family;
        traits = family.traits();
        this.wantedContext = wantedContext;
    }

    /**
     * Reads the configuration of a model.
     *
     * @param metadata the file's metadata
     * @param tensors the file's tensors: the embedding gives the vocabulary where no key does, and a missing output matrix
     *     means a tied embedding
     * @param wantedContext tokens of a sequence, or 0 for all that the model has
     * @throws FormatException.UnsupportedType if the model needs a feature that the forward pass does not have
     * @throws FormatException.MissingField if a key is missing
     * @throws FormatException.InvalidValue if a value makes no sense
     */
    static DecoderConfig read(Fields metadata, TensorTable tensors, DecoderFamily family, int wantedContext) {
        return new GgufConfig(metadata, tensors, family, wantedContext).read();
    }

    private DecoderConfig read() {
        rejectFeatures();
        String hiddenKey = family.key("embedding_length");
        int hidden = metadata.integer(hiddenKey, 1, MAX_HIDDEN);
        int heads = metadata.integer(family.key("attention.head_count"), 1, MAX_HEADS);
        int headSize = ConfigValues.headSize(metadata, family.key("attention.key_length"), hiddenKey, hidden, heads);
        requireHeadSize("attention.value_length", headSize);
        int layers = metadata.integer(family.key("block_count"), 1, MAX_LAYERS);
        int ownContext = metadata.integer(family.key("context_length"), 1, MAX_CONTEXT);
        int context = ConfigValues.context(metadata, wantedContext, ownContext);
        var rope = new GgufRope(metadata, family, headSize, ownContext);
        int vocabulary = metadata.has(family.key("vocab_size"))
                ? metadata.integer(family.key("vocab_size"), 1, MAX_VOCABULARY)
                : embeddingRows();
        var eosIds = new LinkedHashSet<Integer>();
        for (String name : List.of("eos", "eot", "eom")) {
            eosIds.addAll(metadata.ids("tokenizer.ggml." + name + "_token_id", vocabulary, MAX_EOS_IDS));
        }
        return new DecoderConfig(
                layers,
                hidden,
                heads,
                ConfigValues.kvHeads(metadata, family.key("attention.head_count_kv"), heads),
                headSize,
                metadata.integer(family.key("feed_forward_length"), 1, MAX_FEED_FORWARD),
                vocabulary,
                context,
                tensors.has(DecoderTensors.SHORT_FACTORS) && rope.reachesFurther(context) ? rope.original() : 0,
                ConfigValues.normEpsilon(metadata, family.key("attention.layer_norm_rms_epsilon")),
                traits.activation(),
                !tensors.has(family.gguf().lmHead()),
                ConfigValues.bosId(metadata, "tokenizer.ggml.bos_token_id", vocabulary),
                List.copyOf(eosIds),
                attention(rope, layers, context),
                scales(hidden, heads, headSize, layers));
    }

    private List<LayerAttention> attention(GgufRope rope, int layers, int context) {
        RopeAngles everywhere = rope.everywhere();
        RopeAngles inWindows = traits.windowRopeBase() > 0 ? rope.inWindows() : everywhere;
        String name = family.key("attention.sliding_window");
        int window = traits.isCapped()
                ? metadata.integer(name, 1, Integer.MAX_VALUE)
                : metadata.integer(name, 0, 0, Integer.MAX_VALUE);
        int withoutRope = traits.withoutRopePeriod();
        return new LayerPlan(layers, context)
                .of(
                        everywhere,
                        inWindows,
                        window,
                        window > 0 ? windowed(layers) : layer -> false,
                        withoutRope > 0 ? LayerPlan.allBut(withoutRope) : layer -> true);
    }

    /** The layers with a window, where there is one. */
    private IntPredicate windowed(int layers) {
        String name = family.key("attention.sliding_window_pattern");
        if (traits.ggufWindows() != Windows.EVERY_LAYER && traits.ggufWindows() != Windows.PERIODIC) {
            throw unsupported("attention.sliding_window", "0 or no such key");
        }
        if (metadata.value(name) instanceof boolean[] pattern) {
            if (pattern.length != layers) {
                throw metadata.unfit(name, pattern.length + " values", "one for each of " + layers + " layers");
            }
            return layer -> pattern[layer];
        }
        if (traits.ggufWindows() == Windows.PERIODIC) {
            return LayerPlan.allBut(metadata.integer(name, traits.windowPeriod(), 1, MAX_LAYERS));
        }
        if (metadata.has(name)) {
            throw unsupported("attention.sliding_window_pattern", "one truth value for each layer, or no such key");
        }
        return layer -> true;
    }

    private Scales scales(int hidden, int heads, int headSize, int layers) {
        if (traits.isGemma()) {
            int perHead = layers == traits.wideLayers() ? hidden / heads : headSize;
            return Scales.gemma(hidden, perHead, cap("attn_logit_softcapping"), cap("final_logit_softcapping"));
        }
        if (traits.isMultiplied()) {
            return new Scales(
                    factor("embedding_scale", 1),
                    factor("residual_scale", 1),
                    factor("attention.scale", 0),
                    0,
                    1 / factor("logit_scale", 1),
                    0);
        }
        return Scales.NONE;
    }

    private float cap(String name) {
        return traits.isCapped() ? metadata.number(family.key(name), Scales.MIN, Scales.MAX) : factor(name, 0);
    }

    private float factor(String name, float fallback) {
        return metadata.number(family.key(name), fallback, Scales.MIN, Scales.MAX);
    }

    private void rejectFeatures() {
        if (metadata.integer(family.key("expert_count"), 0, 0, Integer.MAX_VALUE) != 0) {
            throw unsupported("expert_count", "0 or no such key");
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
