package io.hydra4j.heads;

import static io.hydra4j.model.TinyModel.FEED_FORWARD;
import static io.hydra4j.model.TinyModel.HIDDEN;
import static io.hydra4j.model.TinyModel.KEY_VALUE_ROWS;
import static io.hydra4j.model.TinyModel.QUERY_ROWS;
import static io.hydra4j.model.TinyModel.VOCABULARY;

import io.hydra4j.format.GgufBytes;
import io.hydra4j.format.SafetensorsBytes;
import io.hydra4j.format.TensorType;
import io.hydra4j.model.TinyModel;
import java.util.LinkedHashMap;
import java.util.Map;

/** Valid heads for {@link TinyModel} in every layout, for a test to put one defect into. */
public final class TinyHeads {
    public static final int HEADS = 2;
    public static final int LAYERS = 3;
    public static final String PREFIX = "prefix_embeding_layer.";

    private TinyHeads() {}

    /** The fields of config.json, each with its value as JSON. */
    public static Map<String, String> config(String arch, boolean isGrounded) {
        var config = new LinkedHashMap<String, String>();
        config.put("base_model_name_or_path", "\"tiny\"");
        config.put("hydra_head_arch", "\"" + arch + "\"");
        config.put("grounded_heads", "" + isGrounded);
        config.put("hydra_num_heads", "" + HEADS);
        config.put("hydra_num_layers", "" + LAYERS);
        config.put("hidden_state_offset", "0");
        return config;
    }

    /** Heads with private LM heads as the Hydra code names them, and what else it leaves in the file. */
    public static SafetensorsBytes published(String arch, boolean isGrounded) {
        var file = blocks(arch, isGrounded);
        boolean hasPrefix = arch.equals("prefix-mlp");
        for (int i = 0; i < HEADS; i++) {
            var name = "hydra_lm_head." + i + (hasPrefix ? ".1" : "");
            file.tensor(name + ".weight", "BF16", VOCABULARY, HIDDEN).tensor(name + ".bias", "BF16", VOCABULARY);
        }
        return file.tensor("input_embed_fn.weight", "BF16", VOCABULARY, HIDDEN);
    }

    /** Heads without LM heads. */
    public static SafetensorsBytes blocks(String arch, boolean isGrounded) {
        var file = new SafetensorsBytes();
        boolean hasPrefix = arch.equals("prefix-mlp");
        for (int i = 0; i < HEADS; i++) {
            for (int j = 0; j < LAYERS; j++) {
                var name = "hydra_mlp." + i + "." + (hasPrefix ? 2 * j + 1 : j);
                boolean isConditioned = isGrounded && j == 0;
                int width = isConditioned ? (i + 2) * HIDDEN : HIDDEN;
                file.tensor(name + ".linear.weight", "BF16", HIDDEN, width)
                        .tensor(name + ".linear.bias", "BF16", HIDDEN);
                if (isConditioned) {
                    file.tensor(name + ".res_connection.weight", "BF16", HIDDEN, width)
                            .tensor(name + ".res_connection.bias", "BF16", HIDDEN);
                }
            }
        }
        if (hasPrefix) {
            TinyModel.layer(file, PREFIX + "layers.0.")
                    .tensor(PREFIX + "norm.weight", "BF16", HIDDEN)
                    .tensor(PREFIX + "embed_tokens.weight", "BF16", VOCABULARY, HIDDEN)
                    .tensor(PREFIX + "layers.0.self_attn.rotary_emb.inv_freq", "BF16", 4);
        }
        return file;
    }

    /** Heads as Medusa v0.1 names them. */
    public static SafetensorsBytes medusa(int heads, int layers, boolean hasLmHeads) {
        var file = new SafetensorsBytes();
        for (int i = 0; i < heads; i++) {
            for (int j = 0; j < layers; j++) {
                file.tensor(i + "." + j + ".linear.weight", "F16", HIDDEN, HIDDEN)
                        .tensor(i + "." + j + ".linear.bias", "F16", HIDDEN);
            }
            if (hasLmHeads) {
                file.tensor(i + "." + layers + ".weight", "F16", VOCABULARY, HIDDEN);
            }
        }
        return file;
    }

    /** A compact file of Hydra++ heads; private LM heads have {@code lmHeadRows} rows, 0 for the base's LM head. */
    public static GgufBytes compact(int lmHeadRows) {
        var file = new GgufBytes()
                .string("general.architecture", "hydra")
                .string("hydra.head_arch", "prefix-mlp")
                .bool("hydra.grounded", true)
                .u32("hydra.head_count", HEADS)
                .u32("hydra.layer_count", LAYERS)
                .string("hydra.lm_head", lmHeadRows == 0 ? "base" : "private")
                .u32("hydra.embedding_length", HIDDEN)
                .u32("hydra.vocabulary_size", VOCABULARY)
                .string("hydra.base_model", "tiny");
        var layer = PREFIX + "layers.0.";
        file.tensor(layer + "input_layernorm.weight", TensorType.F32, HIDDEN)
                .tensor(layer + "self_attn.q_proj.weight", TensorType.Q8_0, HIDDEN, QUERY_ROWS)
                .tensor(layer + "self_attn.k_proj.weight", TensorType.Q8_0, HIDDEN, KEY_VALUE_ROWS)
                .tensor(layer + "self_attn.v_proj.weight", TensorType.Q8_0, HIDDEN, KEY_VALUE_ROWS)
                .tensor(layer + "self_attn.o_proj.weight", TensorType.Q8_0, QUERY_ROWS, HIDDEN)
                .tensor(layer + "post_attention_layernorm.weight", TensorType.F32, HIDDEN)
                .tensor(layer + "mlp.gate_proj.weight", TensorType.Q8_0, HIDDEN, FEED_FORWARD)
                .tensor(layer + "mlp.up_proj.weight", TensorType.Q8_0, HIDDEN, FEED_FORWARD)
                .tensor(layer + "mlp.down_proj.weight", TensorType.Q8_0, FEED_FORWARD, HIDDEN)
                .tensor(PREFIX + "norm.weight", TensorType.F32, HIDDEN);
        for (int i = 0; i < HEADS; i++) {
            for (int j = 0; j < LAYERS; j++) {
                var name = "hydra_mlp." + i + "." + j;
                int width = j == 0 ? (i + 2) * HIDDEN : HIDDEN;
                file.tensor(name + ".linear.weight", TensorType.Q4_0, width, HIDDEN)
                        .tensor(name + ".linear.bias", TensorType.F32, HIDDEN);
                if (j == 0) {
                    file.tensor(name + ".res_connection.weight", TensorType.Q4_0, width, HIDDEN)
                            .tensor(name + ".res_connection.bias", TensorType.F32, HIDDEN);
                }
            }
            if (lmHeadRows > 0) {
                file.tensor("hydra_lm_head." + i + ".weight", TensorType.Q8_0, HIDDEN, lmHeadRows);
            }
        }
        return file;
    }
}
