package io.hydra4j.fuzz;

import io.hydra4j.format.SafetensorsFile;
import io.hydra4j.format.TorchBytes;
import io.hydra4j.heads.HeadsFiles;
import io.hydra4j.heads.TinyHeads;
import io.hydra4j.model.TinyModel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;

/** Folders of Hydra heads as torch saves them: damage to the pickle, inside a sound zip file, or to all bytes. */
final class TorchHeadsTarget implements FuzzTarget {
    @Override
    public String name() {
        return "torch";
    }

    @Override
    public void write(Random random, Path folder) throws IOException {
        String arch = random.nextBoolean() ? "prefix-mlp" : "mlp";
        Path safetensors = TinyHeads.published(arch, true).write(folder.resolve("sound.safetensors"));
        TorchBytes file = TorchBytes.like(SafetensorsFile.read(safetensors).table());
        Files.delete(safetensors);
        TinyModel.writeJson(folder.resolve("config.json"), TinyHeads.config(arch, true));
        byte[] bytes = file.build();
        if (random.nextInt(3) > 0) {
            byte[] pickle = file.pickle();
            bytes = file.build(Damage.bytes(random, pickle, pickle.length));
        } else {
            bytes = Damage.bytes(random, bytes, bytes.length);
        }
        Files.write(folder.resolve("hydra_lm_head.pt"), bytes);
    }

    @Override
    public void read(Path folder) {
        HeadsFiles.open(folder);
    }
}
