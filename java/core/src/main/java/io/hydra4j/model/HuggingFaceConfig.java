package io.hydra4j.model;

import static io.hydra4j.model.DecoderConfig.MAX_CONTEXT;
import static io.hydra4j.model.DecoderConfig.MAX_EOS_IDS;
import static io.hydra4j.model.DecoderConfig.MAX_FEED_FORWARD;
import static io.hydra4j.model.DecoderConfig.MAX_HEADS;
import static io.hydra4j.model.DecoderConfig.MAX_HIDDEN;
import static io.hydra4j.model.DecoderConfig.MAX_LAYERS;
import static io.hydra4j.model.DecoderConfig.MAX_VOCABULARY;

import io.hydra4j.FormatException;
import io.hydra4j.format.Fields;
import io.hydra4j.model.FamilyTraits.Windows;
import io.hydra4j.runtime.Activation;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.function.IntPredicate;
import java.util.stream.IntStream;
import java.util.stream.StreamSupport;

/** Reads the configuration of a Hugging Face folder. */
final class HuggingFaceConfig {
    private static final String WINDOWED = "sliding_attention";

    private final Fields config;
    private final DecoderFamily family;
    private final FamilyTraits traits;

    private HuggingFaceConfig(Fields config, DecoderFamily family) {
        this.config = config;
        this.family = family;
        traits = family.traits();
    }

    /**
     * Reads the configuration of a model.
     *
     * @param config config.json
     * @param generation generation_config.json, or fields without any value: its end-of-sequence ids come first, then those
     *     of {@code config}
     * @param wantedContext tokens of a sequence, or 0 for all that the model has
     * @throws FormatException.UnsupportedType if the model needs a feature that the forward pass does not have
     * @throws FormatException.MissingField if a field is missing
     * @throws FormatException.InvalidValue if a value makes no sense
     */
    static DecoderConfig read(Fields config, Fields generation, DecoderFamily family, int wantedContext) {
        return new HuggingFaceConfig(config, family).read(generation, wantedContext);
    }

    private DecoderConfig read(Fields generation, int wantedContext) {
        rejectFeatures();
        int layers = config.integer("num_hidden_layers", 1, MAX_LAYERS);
        int hidden = config.integer("hidden_size", 1, MAX_HIDDEN);
        int heads = config.integer("num_attention_heads", 1, MAX_HEADS);
        int kvHeads = ConfigValues.kvHeads(config, "num_key_value_heads", heads);
        int headSize = ConfigValues.headSize(config, "head_dim", "hidden_size", hidden, heads);
        int vocabulary = config.integer("vocab_size", 1, MAX_VOCABULARY);
        int ownContext = config.integer("max_position_embeddings", 1, MAX_CONTEXT);
        int context = ConfigValues.context(config, wantedContext, ownContext);
        var rope = new HuggingFaceRope(config, family, headSize, ownContext, context);
        var eosIds = new LinkedHashSet<>(generation.ids("eos_token_id", vocabulary, MAX_EOS_IDS));
        eosIds.addAll(config.ids("eos_token_id", vocabulary, MAX_EOS_IDS));
        return new DecoderConfig(
                layers,
                hidden,
                heads,
                kvHeads,
                headSize,
                config.integer("intermediate_size", 1, MAX_FEED_FORWARD),
                vocabulary,
                context,
                rope.shortContext(),
                ConfigValues.normEpsilon(config, "rms_norm_eps"),
                activation(),
                config.flag("tie_word_embeddings", traits.isTied()),
                ConfigValues.bosId(config, "bos_token_id", vocabulary),
                List.copyOf(eosIds),
                attention(rope, layers, context),
                scales(hidden));
    }

    private List<LayerAttention> attention(HuggingFaceRope rope, int layers, int context) {
        RopeAngles everywhere = rope.everywhere();
        RopeAngles inWindows = traits.windowRopeBase() > 0 ? rope.inWindows() : everywhere;
        IntPredicate isWindowed = windowed(layers);
        boolean any = IntStream.range(0, layers).anyMatch(isWindowed);
        int window = any ? config.integer("sliding_window", 1, Integer.MAX_VALUE) : 0;
        return new LayerPlan(layers, context).of(everywhere, inWindows, window, isWindowed, rotating(layers));
    }

    /** The layers with a window. */
    private IntPredicate windowed(int layers) {
        boolean usual = traits.windows() != Windows.UPPER_LAYERS;
        if (traits.windows() == Windows.PERIODIC) {
            requireStated("sliding_window");
        }
        if (!config.has("sliding_window") || !config.flag("use_sliding_window", usual)) {
            return layer -> false;
        }
        if (traits.windows() == Windows.REFUSED) {
            throw config.unsupported("sliding_window", "null", ConfigValues.remedy(family));
        }
        if (config.has("layer_types")) {
            var types = List.of(config.strings("layer_types"));
            if (types.size() != layers) {
                throw config.unfit("layer_types", types.size() + " texts", "one for each of " + layers + " layers");
            }
            for (String type : types) {
                if (!type.equals(WINDOWED) && !type.equals("full_attention")) {
                    throw config.unsupported(
                            "layer_types", "\"full_attention\" or \"" + WINDOWED + '"', ConfigValues.remedy(family));
                }
            }
            return layer -> types.get(layer).equals(WINDOWED);
        }
        return switch (traits.windows()) {
            case PERIODIC -> LayerPlan.allBut(
                    config.integer("sliding_window_pattern", traits.windowPeriod(), 1, MAX_LAYERS));
            case UPPER_LAYERS -> {
                int first = config.integer("max_window_layers", 28, 0, MAX_LAYERS);
                yield layer -> layer >= first;
            }
            default -> layer -> true;
        };
    }

    /** The layers whose heads rotate. */
    private IntPredicate rotating(int layers) {
        if (traits.withoutRopePeriod() == 0) {
            return layer -> true;
        }
        if (!config.has("no_rope_layers")) {
            return LayerPlan.allBut(
                    config.integer("no_rope_layer_interval", traits.withoutRopePeriod(), 1, MAX_LAYERS));
        }
        // The name says the opposite of what a number means: 1 is a layer that rotates.
        List<Long> rotates = config.integers("no_rope_layers", MAX_LAYERS, 1);
        if (rotates.size() != layers) {
            throw config.unfit("no_rope_layers", rotates.size() + " numbers", "one for each of " + layers + " layers");
        }
        return layer -> rotates.get(layer) == 1;
    }

    private Scales scales(int hidden) {
        if (traits.isGemma()) {
            float perHead = config.number("query_pre_attn_scalar", 256, Scales.MIN, Scales.MAX);
            return Scales.gemma(hidden, perHead, cap("attn_logit_softcapping"), cap("final_logit_softcapping"));
        }
        if (traits.isMultiplied()) {
            return new Scales(
                    multiplier("embedding_multiplier"),
                    multiplier("residual_multiplier"),
                    multiplier("attention_multiplier"),
                    0,
                    1 / multiplier("logits_scaling"),
                    0);
        }
        return Scales.NONE;
    }

    private float cap(String name) {
        if (traits.isCapped()) {
            requireStated(name);
        }
        return config.has(name) ? config.number(name, Scales.MIN, Scales.MAX) : 0;
    }

    /** Refuses a configuration that leaves out what has to be a number, or null for none. */
    private void requireStated(String name) {
        if (StreamSupport.stream(config.names().spliterator(), false).noneMatch(name::equals)) {
            throw config.invalid(name, "a number, or null for none");
        }
    }

    private float multiplier(String name) {
        return config.number(name, 1, Scales.MIN, Scales.MAX);
    }

    private void rejectFeatures() {
        for (String flag : List.of("mlp_bias", "use_bidirectional_attention")) {
            if (config.flag(flag, false)) {
                throw config.unsupported(flag, "false", ConfigValues.remedy(family));
            }
        }
        if (config.has("quantization_config")) {
            throw config.unsupported(
                    "quantization_config", "no such field", "give the unquantised weights, or a quantised GGUF file");
        }
    }

    private Activation activation() {
        String name = traits.isGemma() ? "hidden_activation" : "hidden_act";
        if (!config.has(name)) {
            return traits.activation();
        }
        return switch (config.string(name)) {
            case "silu", "swish" -> Activation.SILU;
            case "gelu_pytorch_tanh", "gelu_new" -> Activation.GELU;
            default -> throw config.unsupported(name, "\"silu\" or \"gelu_pytorch_tanh\"", ConfigValues.remedy(family));
        };
    }
}
