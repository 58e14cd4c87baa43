package io.hydra4j.fuzz;

import io.hydra4j.format.SafetensorsBytes;
import io.hydra4j.model.ModelFiles;
import io.hydra4j.model.TinyModel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import java.util.stream.Collectors;

/** Hugging Face folders: config.json, generation_config.json, one safetensors file or shards with their index. */
final class FolderTarget implements FuzzTarget {
    private static final String GENERATION = "{\"eos_token_id\":[2,3],\"bos_token_id\":1,\"temperature\":0.6}";
    private static final String SCALING =
            "{\"rope_type\":\"llama3\",\"factor\":8.0,\"low_freq_factor\":1.0,\"high_freq_factor\":4.0,"
                    + "\"original_max_position_embeddings\":64}";

    @Override
    public String name() {
        return "folder";
    }

    @Override
    public void write(Random random, Path folder) throws IOException {
        int damaged = random.nextInt(4);
        Map<String, String> config = new LinkedHashMap<>(TinyModel.config());
        if (random.nextInt(4) == 0) {
            config.put("rope_scaling", SCALING);
            config.put("sliding_window", "64");
            config.put("attention_bias", "" + random.nextBoolean());
        }
        String json = config.entrySet().stream()
                .map(entry -> "\"" + entry.getKey() + "\":" + entry.getValue())
                .collect(Collectors.joining(",", "{", "}"));
        write(random, folder.resolve("config.json"), json, damaged == 0);
        write(random, folder.resolve("generation_config.json"), GENERATION, damaged == 1);
        SafetensorsBytes tensors = TinyModel.safetensors();
        if (damaged < 3) {
            Files.write(
                    folder.resolve("model.safetensors"),
                    damaged == 2 ? SafetensorsDamage.damaged(random, tensors) : tensors.build());
            return;
        }
        shards(random, folder);
    }

    private static void shards(Random random, Path folder) throws IOException {
        SafetensorsBytes first = TinyModel.layer(new SafetensorsBytes(), "model.layers.0.");
        SafetensorsBytes second = TinyModel.layer(new SafetensorsBytes(), "model.layers.1.")
                .tensor("model.embed_tokens.weight", "BF16", TinyModel.VOCABULARY, TinyModel.HIDDEN)
                .tensor("model.norm.weight", "BF16", TinyModel.HIDDEN)
                .tensor("lm_head.weight", "BF16", TinyModel.VOCABULARY, TinyModel.HIDDEN);
        first.write(folder.resolve("model-1.safetensors"));
        byte[] bytes = random.nextInt(3) == 0 ? SafetensorsDamage.damaged(random, second) : second.build();
        Files.write(folder.resolve("model-2.safetensors"), bytes);
        Map<String, Object> names = new LinkedHashMap<>();
        for (int layer = 0; layer < 2; layer++) {
            for (String name : new String[] {
                "input_layernorm",
                "self_attn.q_proj",
                "self_attn.k_proj",
                "self_attn.v_proj",
                "self_attn.o_proj",
                "post_attention_layernorm",
                "mlp.gate_proj",
                "mlp.up_proj",
                "mlp.down_proj"
            }) {
                names.put("model.layers." + layer + "." + name + ".weight", "model-" + (layer + 1) + ".safetensors");
            }
        }
        for (String name : new String[] {"model.embed_tokens", "model.norm", "lm_head"}) {
            names.put(name + ".weight", "model-2.safetensors");
        }
        Map<String, Object> index = new LinkedHashMap<>();
        index.put("metadata", new LinkedHashMap<>(Map.of("total_size", 1L)));
        index.put("weight_map", names);
        write(random, folder.resolve("model.safetensors.index.json"), JsonDamage.write(index), random.nextInt(8) > 0);
    }

    private static void write(Random random, Path file, String json, boolean damaged) throws IOException {
        Object tree = JsonDamage.parse(json);
        Files.write(
                file,
                JsonDamage.bytes(damaged ? random : new Random(1), damaged ? JsonDamage.damaged(random, tree) : tree));
    }

    @Override
    public void read(Path folder) {
        ModelFiles.open(folder);
    }
}
