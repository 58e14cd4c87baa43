package io.hydra4j.golden;

import io.hydra4j.format.GgufWriter;
import io.hydra4j.format.SafetensorsWriter;
import io.hydra4j.format.TensorType;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;

/**
 * A tiny model whose weights are a formula of their names and places, the same that {@code src/test/golden/families.py} has: as a
 * folder in the form of transformers, and as the GGUF file that llama.cpp's converter would make of it.
 */
public final class FormulaModel {
    private static final Map<String, String> GGUF_NAMES = Map.ofEntries(
            Map.entry("model.embed_tokens", "token_embd"),
            Map.entry("model.norm", "output_norm"),
            Map.entry("lm_head", "output"),
            Map.entry("input_layernorm", "attn_norm"),
            Map.entry("self_attn.q_proj", "attn_q"),
            Map.entry("self_attn.k_proj", "attn_k"),
            Map.entry("self_attn.v_proj", "attn_v"),
            Map.entry("self_attn.o_proj", "attn_output"),
            Map.entry("self_attn.q_norm", "attn_q_norm"),
            Map.entry("self_attn.k_norm", "attn_k_norm"),
            Map.entry("self_attn.qkv_proj", "attn_qkv"),
            Map.entry("mlp.gate_proj", "ffn_gate"),
            Map.entry("mlp.up_proj", "ffn_up"),
            Map.entry("mlp.gate_up_proj", "ffn_up"),
            Map.entry("mlp.down_proj", "ffn_down"),
            Map.entry("pre_feedforward_layernorm", "ffn_norm"),
            Map.entry("post_feedforward_layernorm", "post_ffw_norm"));

    private final String name;
    private final Path source;
    private final Json config;
    private final Json tensors;
    private final boolean halves;

    /** @param name a folder of {@code golden/formula} */
    public FormulaModel(String name) {
        this.name = name;
        source = TestData.committed("golden/formula/" + name);
        config = Json.read(source.resolve("config.json"));
        tensors = golden().get("tensors");
        halves = config.has("dtype") && config.get("dtype").text().equals("bfloat16");
    }

    Json golden() {
        return Json.read(source.resolve("golden.json"));
    }

    /** Writes config.json and the weights. */
    public Path writeFolder(Path folder) throws IOException {
        Files.copy(source.resolve("config.json"), folder.resolve("config.json"));
        writeWeights(folder.resolve("model.safetensors"));
        return folder;
    }

    /**
     * Writes the same as a model that takes images in too, whose text model it is.
     *
     * @param prefix what names of the text model's tensors begin with
     * @param imagePrefix the same of those for images
     */
    Path writeFolderWithImages(Path folder, String prefix, String imagePrefix) throws IOException {
        Files.writeString(
                folder.resolve("config.json"),
                "{\"model_type\": \"" + architecture()
                        + "\", \"vision_config\": {\"hidden_size\": 8}, \"text_config\": "
                        + Files.readString(source.resolve("config.json")) + "}");
        SafetensorsWriter writer = new SafetensorsWriter();
        writer.tensor(imagePrefix + "a.weight", TensorType.F32, List.of(8L), out -> write(out, new float[8]));
        putWeights(writer, name -> prefix + name.substring("model.".length()));
        writer.write(folder.resolve("model.safetensors"));
        return folder;
    }

    /** Writes the weights in the type that the configuration names, bfloat16 or float32. */
    void writeWeights(Path file) {
        SafetensorsWriter writer = new SafetensorsWriter();
        putWeights(writer, name -> name);
        writer.write(file);
    }

    private void putWeights(SafetensorsWriter writer, UnaryOperator<String> rename) {
        for (String tensor : tensors.names()) {
            String own = rename.apply(tensor);
            if (halves) {
                writer.tensor(own, TensorType.BF16, shape(tensor), out -> writeHalves(out, values(tensor)));
            } else {
                writer.tensor(own, TensorType.F32, shape(tensor), out -> write(out, values(tensor)));
            }
        }
    }

    /** Writes a GGUF file in float32. */
    Path writeGguf(Path file) {
        String family = architecture();
        GgufWriter writer = new GgufWriter().put("general.architecture", family);
        putSizes(writer, family + ".");
        putRope(writer, family + ".rope.");
        putWhatTheFamilyHas(writer, family + ".");
        putVocabulary(writer);
        for (String tensor : tensors.names()) {
            writer.tensor(ggufName(tensor), TensorType.F32, shape(tensor), out -> write(out, ggufValues(tensor)));
        }
        writer.write(file);
        return file;
    }

    /** Writes Hydra++ heads of random weights, whose layer turns and attends as the base's layers do. */
    Path writeHeads(Path folder) throws IOException {
        long hidden = integer("hidden_size");
        long headSize = config.has("head_dim") ? integer("head_dim") : hidden / integer("num_attention_heads");
        long queries = headSize * integer("num_attention_heads"), keys = headSize * integer("num_key_value_heads");
        long inner = integer("intermediate_size");
        SafetensorsWriter writer = new SafetensorsWriter();
        for (long i = 0; i < 2; i++) {
            String block = "hydra_mlp." + i + ".1.";
            for (String part : List.of("linear", "res_connection")) {
                put(writer, block + part + ".weight", hidden, (i + 2) * hidden);
                put(writer, block + part + ".bias", hidden);
            }
            put(writer, "hydra_lm_head." + i + ".1.weight", (long) integer("vocab_size"), hidden);
            put(writer, "hydra_lm_head." + i + ".1.bias", (long) integer("vocab_size"));
        }
        String layer = "prefix_embeding_layer.layers.0.";
        put(writer, layer + "input_layernorm.weight", hidden);
        put(writer, layer + "self_attn.q_proj.weight", queries, hidden);
        put(writer, layer + "self_attn.k_proj.weight", keys, hidden);
        put(writer, layer + "self_attn.v_proj.weight", keys, hidden);
        put(writer, layer + "self_attn.o_proj.weight", hidden, queries);
        put(writer, layer + "post_attention_layernorm.weight", hidden);
        put(writer, layer + "mlp.gate_proj.weight", inner, hidden);
        put(writer, layer + "mlp.up_proj.weight", inner, hidden);
        put(writer, layer + "mlp.down_proj.weight", hidden, inner);
        put(writer, "prefix_embeding_layer.norm.weight", hidden);
        writer.write(folder.resolve("hydra_lm_head.safetensors"));
        Files.writeString(
                folder.resolve("config.json"),
                "{\"hydra_head_arch\":\"prefix-mlp\",\"grounded_heads\":true,\"hydra_num_heads\":2,\"hydra_num_layers\":1}");
        return folder;
    }

    private void put(SafetensorsWriter writer, String tensor, Long... shape) {
        writer.tensor(tensor, TensorType.F32, List.of(shape), out -> write(out, values(tensor, List.of(shape))));
    }

    private String architecture() {
        return config.get("model_type").text().replace("_text", "");
    }

    private void putSizes(GgufWriter writer, String prefix) {
        writer.put(prefix + "block_count", integer("num_hidden_layers"))
                .put(prefix + "context_length", integer("max_position_embeddings"))
                .put(prefix + "embedding_length", integer("hidden_size"))
                .put(prefix + "feed_forward_length", integer("intermediate_size"))
                .put(prefix + "attention.head_count", integer("num_attention_heads"))
                .put(prefix + "attention.head_count_kv", integer("num_key_value_heads"))
                .put(
                        prefix + "attention.layer_norm_rms_epsilon",
                        config.get("rms_norm_eps").number());
        if (config.has("head_dim")) {
            writer.put(prefix + "attention.key_length", integer("head_dim"))
                    .put(prefix + "attention.value_length", integer("head_dim"));
        }
    }

    private void putRope(GgufWriter writer, String prefix) {
        Json rope = config.get("rope_parameters");
        Json everywhere = rope.has("full_attention") ? rope.get("full_attention") : rope;
        writer.put(prefix + "freq_base", everywhere.get("rope_theta").number());
        String kind = everywhere.get("rope_type").text();
        if (kind.equals("linear") || kind.equals("yarn")) {
            writer.put(prefix + "scaling.type", kind)
                    .put(prefix + "scaling.factor", everywhere.get("factor").number());
        }
        if (kind.equals("yarn") || kind.equals("longrope")) {
            writer.put(
                    prefix + "scaling.original_context_length",
                    everywhere.get("original_max_position_embeddings").integer());
        }
        if (kind.equals("longrope")) {
            putLongRope(writer, prefix, everywhere);
        }
    }

    private void putLongRope(GgufWriter writer, String prefix, Json rope) {
        double original = rope.get("original_max_position_embeddings").integer();
        double factor = integer("max_position_embeddings") / original;
        double scale = factor > 1 ? Math.sqrt(1 + Math.log(factor) / Math.log(original)) : 1;
        int headSize = integer("hidden_size") / integer("num_attention_heads");
        double part = rope.has("partial_rotary_factor")
                ? rope.get("partial_rotary_factor").number()
                : 1;
        writer.put(prefix + "scaling.attn_factor", scale).put(prefix + "dimension_count", (int) (headSize * part));
        for (String length : List.of("long", "short")) {
            float[] factors = new float[(int) (headSize * part) / 2];
            double[] given = rope.get(length + "_factor").numbers();
            for (int i = 0; i < factors.length; i++) {
                factors[i] = (float) given[i];
            }
            writer.tensor(
                    "rope_factors_" + length + ".weight",
                    TensorType.F32,
                    List.of((long) factors.length),
                    out -> write(out, factors));
        }
    }

    private void putWhatTheFamilyHas(GgufWriter writer, String prefix) {
        if (config.has("sliding_window")) {
            writer.put(prefix + "attention.sliding_window", integer("sliding_window"));
        }
        Map.of(
                        "attn_logit_softcapping", "attn_logit_softcapping",
                        "final_logit_softcapping", "final_logit_softcapping",
                        "embedding_multiplier", "embedding_scale",
                        "residual_multiplier", "residual_scale",
                        "attention_multiplier", "attention.scale",
                        "logits_scaling", "logit_scale")
                .forEach((field, key) -> {
                    if (config.has(field)) {
                        writer.put(prefix + key, config.get(field).number());
                    }
                });
    }

    private void putVocabulary(GgufWriter writer) {
        String[] tokens = new String[integer("vocab_size")];
        Arrays.setAll(tokens, i -> "t" + i);
        long[] types = new long[tokens.length];
        Arrays.fill(types, 1);
        writer.put("tokenizer.ggml.model", "gpt2")
                .put("tokenizer.ggml.tokens", tokens)
                .put("tokenizer.ggml.token_type", types)
                .put("tokenizer.ggml.bos_token_id", integer("bos_token_id"))
                .put("tokenizer.ggml.eos_token_id", integer("eos_token_id"));
    }

    private String ggufName(String tensor) {
        int dot = tensor.lastIndexOf('.');
        String stem = tensor.substring(0, dot);
        String prefix = "";
        if (stem.startsWith("model.layers.")) {
            String[] parts = stem.split("\\.", 4);
            prefix = "blk." + parts[2] + ".";
            stem = parts[3];
        }
        String own = stem.equals("post_attention_layernorm")
                ? tensors.has(tensor.replace("post_attention", "post_feedforward")) ? "post_attention_norm" : "ffn_norm"
                : GGUF_NAMES.get(stem);
        return prefix + own + tensor.substring(dot);
    }

    /** Norms of Gemma are whole; of families whose RoPE turns neighbours, rows of q and k stand in pairs. */
    private float[] ggufValues(String tensor) {
        float[] values = values(tensor);
        String family = architecture();
        if (family.startsWith("gemma") && tensor.endsWith("norm.weight")) {
            for (int i = 0; i < values.length; i++) {
                values[i] += 1;
            }
        }
        boolean pairs = List.of("llama", "smollm3", "granite").contains(family);
        if (!pairs || !(tensor.contains("q_proj") || tensor.contains("k_proj"))) {
            return values;
        }
        int rows = shape(tensor).get(0).intValue(), columns = values.length / rows;
        int headSize = integer("hidden_size") / integer("num_attention_heads");
        float[] paired = new float[values.length];
        for (int row = 0; row < rows; row++) {
            int place = row % headSize;
            int target = row - place + 2 * (place % (headSize / 2)) + place / (headSize / 2);
            System.arraycopy(values, row * columns, paired, target * columns, columns);
        }
        return paired;
    }

    private float[] values(String tensor) {
        return values(tensor, shape(tensor));
    }

    private float[] values(String tensor, List<Long> shape) {
        int count = (int) shape.stream().mapToLong(size -> size).reduce(1, (a, b) -> a * b);
        int seed = 0x811c9dc5;
        for (byte each : (name + "/" + tensor).getBytes(StandardCharsets.UTF_8)) {
            seed = (seed ^ each) * 0x01000193;
        }
        double offset = shape.size() == 2 || tensor.endsWith(".bias") || name.startsWith("gemma") ? 0 : 1;
        double scale = shape.size() == 2 ? 4 / Math.sqrt(shape.get(1)) : 0.5;
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            float value = (float) (((mixed(i * 0x9e3779b1 + seed) >>> 8) / 0x1p24 - 0.5) * scale + offset);
            values[i] = halves ? Float.intBitsToFloat(Float.floatToRawIntBits(value) & 0xffff0000) : value;
        }
        return values;
    }

    private static int mixed(int x) {
        int y = (x ^ x >>> 16) * 0x7feb352d;
        int z = (y ^ y >>> 15) * 0x846ca68b;
        return z ^ z >>> 16;
    }

    private List<Long> shape(String tensor) {
        return tensors.get(tensor).integers().stream().map(Integer::longValue).toList();
    }

    private int integer(String field) {
        return config.get(field).integer();
    }

    private static void write(OutputStream out, float[] values) {
        ByteBuffer bytes = ByteBuffer.allocate(values.length * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
        bytes.asFloatBuffer().put(values);
        write(out, bytes);
    }

    private static void writeHalves(OutputStream out, float[] values) {
        ByteBuffer bytes = ByteBuffer.allocate(values.length * Short.BYTES).order(ByteOrder.LITTLE_ENDIAN);
        for (int i = 0; i < values.length; i++) {
            bytes.putShort(i * Short.BYTES, (short) (Float.floatToRawIntBits(values[i]) >>> 16));
        }
        write(out, bytes);
    }

    private static void write(OutputStream out, ByteBuffer bytes) {
        try {
            out.write(bytes.array());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
