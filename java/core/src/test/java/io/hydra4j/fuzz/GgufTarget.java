package io.hydra4j.fuzz;

import io.hydra4j.model.ModelFiles;
import io.hydra4j.model.TinyModel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;

/** GGUF files of models: headers, metadata, vocabulary tables and tensors. */
final class GgufTarget implements FuzzTarget {
    private final GgufDamage damage = new GgufDamage(TinyModel.gguf());

    @Override
    public String name() {
        return "gguf";
    }

    @Override
    public void write(Random random, Path folder) throws IOException {
        Files.write(folder.resolve("model.gguf"), damage.damaged(random, TinyModel.gguf(), 3200));
    }

    @Override
    public void read(Path folder) {
        ModelFiles.open(folder.resolve("model.gguf"));
    }
}
