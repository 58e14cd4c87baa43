package io.hydra4j.model;

import static io.hydra4j.model.DecoderConfig.MAX_CONTEXT;
import static io.hydra4j.model.DecoderConfig.MAX_EOS_IDS;
import static io.hydra4j.model.DecoderConfig.MAX_FEED_FORWARD;
import static io.hydra4j.model.DecoderConfig.MAX_HEADS;
import static io.hydra4j.model.DecoderConfig.MAX_HIDDEN;
import static io.hydra4j.model.DecoderConfig.MAX_LAYERS;
import static io.hydra4j.model.DecoderConfig.MAX_ROPE_BASE;
import static io.hydra4j.model.DecoderConfig.MAX_VOCABULARY;

import io.hydra4j.FormatException;
import io.hydra4j.format.Fields;
import io.hydra4j.runtime.Activation;
import java.util.LinkedHashSet;
import java.util.List;

/** Reads the configuration of a Hugging Face folder. */
final class HuggingFaceConfig {
    private HuggingFaceConfig() {}

    /**
     * Reads the configuration of a model.
     *
     * @param config config.json
     * @param generation generation_config.json, or fields without any value: its end-of-sequence ids come first, then those
     *     of {@code config}
     * @throws FormatException.UnsupportedType if the model needs a feature that the forward pass does not have
     * @throws FormatException.MissingField if a field is missing
     * @throws FormatException.InvalidValue if a value makes no sense
     */
    static DecoderConfig read(Fields config, Fields generation, DecoderFamily family) {
        rejectFeatures(config, family);
        int hidden = config.integer("hidden_size", 1, MAX_HIDDEN);
        int heads = config.integer("num_attention_heads", 1, MAX_HEADS);
        int kvHeads = ConfigValues.kvHeads(config, "num_key_value_heads", heads);
        int vocabulary = config.integer("vocab_size", 1, MAX_VOCABULARY);
        float outerBase = config.number("rope_theta", ConfigValues.DEFAULT_ROPE_BASE, 1, MAX_ROPE_BASE);
        var eosIds = new LinkedHashSet<>(generation.ids("eos_token_id", vocabulary, MAX_EOS_IDS));
        eosIds.addAll(config.ids("eos_token_id", vocabulary, MAX_EOS_IDS));
        return new DecoderConfig(
                config.integer("num_hidden_layers", 1, MAX_LAYERS),
                hidden,
                heads,
                kvHeads,
                ConfigValues.headSize(config, "head_dim", "hidden_size", hidden, heads),
                config.integer("intermediate_size", 1, MAX_FEED_FORWARD),
                vocabulary,
                config.integer("max_position_embeddings", 1, MAX_CONTEXT),
                config.object("rope_parameters").number("rope_theta", outerBase, 1, MAX_ROPE_BASE),
                ConfigValues.normEpsilon(config, "rms_norm_eps"),
                activation(config, family),
                config.flag("tie_word_embeddings", false),
                ConfigValues.bosId(config, "bos_token_id", vocabulary),
                List.copyOf(eosIds));
    }

    private static void rejectFeatures(Fields config, DecoderFamily family) {
        var remedy = ConfigValues.remedy(family);
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
        if (config.has("sliding_window") && config.flag("use_sliding_window", family.usesSlidingWindow())) {
            throw config.unsupported("sliding_window", "null", remedy);
        }
        if (config.flag("mlp_bias", false)) {
            throw config.unsupported("mlp_bias", "false", remedy);
        }
        if (config.has("quantization_config")) {
            throw config.unsupported(
                    "quantization_config", "no such field", "give the unquantised weights, or a quantised GGUF file");
        }
    }

    private static Activation activation(Fields config, DecoderFamily family) {
        return switch (config.string("hidden_act", "silu")) {
            case "silu", "swish" -> Activation.SILU;
            case "gelu_pytorch_tanh", "gelu_new" -> Activation.GELU;
            default -> throw config.unsupported(
                    "hidden_act", "\"silu\" or \"gelu_pytorch_tanh\"", ConfigValues.remedy(family));
        };
    }

    private static void rejectPartialRotary(Fields fields, String remedy) {
        if (fields.number("partial_rotary_factor", 1, 0, 1) != 1) {
            throw fields.unsupported("partial_rotary_factor", "1 or no such field", remedy);
        }
    }
}
