package io.hydra4j.model;

import io.hydra4j.format.GgufBytes;
import io.hydra4j.format.SafetensorsBytes;
import io.hydra4j.format.TensorType;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Collectors;

/** A valid model of two layers, as a GGUF file and as a Hugging Face folder, for a test to put one defect into. */
public final class TinyModel {
    public static final int LAYERS = 2;
    public static final int HIDDEN = 32;
    public static final int HEADS = 4;
    public static final int KV_HEADS = 2;
    public static final int HEAD_SIZE = 8;
    public static final int QUERY_ROWS = HEADS * HEAD_SIZE;
    public static final int KEY_VALUE_ROWS = KV_HEADS * HEAD_SIZE;
    public static final int FEED_FORWARD = 64;
    public static final int VOCABULARY = 40;

    private TinyModel() {}

    /** A GGUF file of the architecture {@code llama} with Q8_0 matrices and an output matrix of its own. */
    public static GgufBytes gguf() {
        return gguf("llama");
    }

    /** The same as if it were of another architecture. */
    static GgufBytes gguf(String architecture) {
        var tokens = new String[VOCABULARY];
        var types = new int[VOCABULARY];
        for (int i = 0; i < VOCABULARY; i++) {
            tokens[i] = "t" + i;
            types[i] = 1;
        }
        var file = new GgufBytes()
                .string("general.architecture", architecture)
                .u32(architecture + ".block_count", LAYERS)
                .u32(architecture + ".context_length", 128)
                .u32(architecture + ".embedding_length", HIDDEN)
                .u32(architecture + ".feed_forward_length", FEED_FORWARD)
                .u32(architecture + ".attention.head_count", HEADS)
                .u32(architecture + ".attention.head_count_kv", KV_HEADS)
                .f32(architecture + ".attention.layer_norm_rms_epsilon", 1e-5f)
                .f32(architecture + ".rope.freq_base", 20000)
                .string("tokenizer.ggml.model", "gpt2")
                .strings("tokenizer.ggml.tokens", tokens)
                .i32s("tokenizer.ggml.token_type", types)
                .u32("tokenizer.ggml.bos_token_id", 1)
                .u32("tokenizer.ggml.eos_token_id", 2)
                .tensor("token_embd.weight", TensorType.Q8_0, HIDDEN, VOCABULARY)
                .tensor("output_norm.weight", TensorType.F32, HIDDEN)
                .tensor("output.weight", TensorType.F16, HIDDEN, VOCABULARY);
        for (int i = 0; i < LAYERS; i++) {
            var prefix = "blk." + i + ".";
            file.tensor(prefix + "attn_norm.weight", TensorType.F32, HIDDEN)
                    .tensor(prefix + "attn_q.weight", TensorType.Q8_0, HIDDEN, QUERY_ROWS)
                    .tensor(prefix + "attn_k.weight", TensorType.Q8_0, HIDDEN, KEY_VALUE_ROWS)
                    .tensor(prefix + "attn_v.weight", TensorType.Q8_0, HIDDEN, KEY_VALUE_ROWS)
                    .tensor(prefix + "attn_output.weight", TensorType.Q8_0, QUERY_ROWS, HIDDEN)
                    .tensor(prefix + "ffn_norm.weight", TensorType.F32, HIDDEN)
                    .tensor(prefix + "ffn_gate.weight", TensorType.Q8_0, HIDDEN, FEED_FORWARD)
                    .tensor(prefix + "ffn_up.weight", TensorType.Q8_0, HIDDEN, FEED_FORWARD)
                    .tensor(prefix + "ffn_down.weight", TensorType.Q8_0, FEED_FORWARD, HIDDEN);
        }
        return file;
    }

    /** The fields of config.json, each with its value as JSON. */
    public static Map<String, String> config() {
        var config = new LinkedHashMap<String, String>();
        config.put("model_type", "\"llama\"");
        config.put("num_hidden_layers", "" + LAYERS);
        config.put("hidden_size", "" + HIDDEN);
        config.put("num_attention_heads", "" + HEADS);
        config.put("num_key_value_heads", "" + KV_HEADS);
        config.put("intermediate_size", "" + FEED_FORWARD);
        config.put("vocab_size", "" + VOCABULARY);
        config.put("max_position_embeddings", "128");
        config.put("rms_norm_eps", "1e-5");
        config.put("rope_theta", "20000.0");
        config.put("hidden_act", "\"silu\"");
        config.put("tie_word_embeddings", "false");
        config.put("bos_token_id", "1");
        config.put("eos_token_id", "2");
        return config;
    }

    /** The tensors that belong to {@link #config()}. */
    public static SafetensorsBytes safetensors() {
        var file = new SafetensorsBytes()
                .tensor("model.embed_tokens.weight", "BF16", VOCABULARY, HIDDEN)
                .tensor("model.norm.weight", "BF16", HIDDEN)
                .tensor("lm_head.weight", "BF16", VOCABULARY, HIDDEN);
        for (int i = 0; i < LAYERS; i++) {
            layer(file, "model.layers." + i + ".");
        }
        return file;
    }

    /** Adds the tensors of one layer with Hugging Face's names. */
    public static SafetensorsBytes layer(SafetensorsBytes file, String prefix) {
        return file.tensor(prefix + "input_layernorm.weight", "BF16", HIDDEN)
                .tensor(prefix + "self_attn.q_proj.weight", "BF16", QUERY_ROWS, HIDDEN)
                .tensor(prefix + "self_attn.k_proj.weight", "BF16", KEY_VALUE_ROWS, HIDDEN)
                .tensor(prefix + "self_attn.v_proj.weight", "BF16", KEY_VALUE_ROWS, HIDDEN)
                .tensor(prefix + "self_attn.o_proj.weight", "BF16", HIDDEN, QUERY_ROWS)
                .tensor(prefix + "post_attention_layernorm.weight", "BF16", HIDDEN)
                .tensor(prefix + "mlp.gate_proj.weight", "BF16", FEED_FORWARD, HIDDEN)
                .tensor(prefix + "mlp.up_proj.weight", "BF16", FEED_FORWARD, HIDDEN)
                .tensor(prefix + "mlp.down_proj.weight", "BF16", HIDDEN, FEED_FORWARD);
    }

    /** Writes a JSON object of fields whose values are JSON. */
    public static Path writeJson(Path file, Map<String, String> fields) {
        var json = fields.entrySet().stream()
                .map(field -> "\"" + field.getKey() + "\":" + field.getValue())
                .collect(Collectors.joining(",", "{", "}"));
        return GgufBytes.write(file, json.getBytes(StandardCharsets.UTF_8));
    }
}
