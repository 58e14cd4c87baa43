package io.hydra4j.fuzz;

import io.hydra4j.format.SafetensorsBytes;
import io.hydra4j.heads.HeadsFiles;
import io.hydra4j.heads.TinyHeads;
import io.hydra4j.model.ModelFiles;
import io.hydra4j.model.TinyModel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Random;
import java.util.stream.Collectors;

/** Folders of Hydra, Hydra++ and Medusa heads. */
final class HeadsFolderTarget implements FuzzTarget {
    @Override
    public String name() {
        return "heads";
    }

    @Override
    public void write(Random random, Path folder) throws IOException {
        boolean medusa = random.nextInt(3) == 0;
        String arch = random.nextBoolean() ? "prefix-mlp" : "mlp";
        boolean grounded = arch.equals("prefix-mlp") || random.nextBoolean();
        SafetensorsBytes tensors = medusa
                ? TinyHeads.medusa(TinyHeads.HEADS, 1, random.nextBoolean())
                : random.nextInt(3) == 0 ? TinyHeads.blocks(arch, grounded) : TinyHeads.published(arch, grounded);
        Map<String, String> config = TinyHeads.config(arch, grounded);
        if (random.nextInt(3) == 0) {
            config.put("lm_head", "\"base\"");
        }
        String json = config.entrySet().stream()
                .map(entry -> "\"" + entry.getKey() + "\":" + entry.getValue())
                .collect(Collectors.joining(",", "{", "}"));
        boolean inConfig = random.nextBoolean();
        Object tree = JsonDamage.parse(json);
        Files.write(
                folder.resolve("config.json"),
                inConfig
                        ? JsonDamage.bytes(random, JsonDamage.damaged(random, tree))
                        : json.getBytes(java.nio.charset.StandardCharsets.UTF_8));
        Files.write(
                folder.resolve(medusa ? "medusa_lm_head.safetensors" : "hydra_lm_head.safetensors"),
                inConfig && random.nextInt(4) > 0 ? tensors.build() : SafetensorsDamage.damaged(random, tensors));
        TinyModel.gguf().write(folder.resolve("base.gguf"));
    }

    @Override
    public void read(Path folder) {
        HeadsFiles.open(folder);
        HeadsFiles.open(folder, ModelFiles.open(folder.resolve("base.gguf")).config());
    }
}
