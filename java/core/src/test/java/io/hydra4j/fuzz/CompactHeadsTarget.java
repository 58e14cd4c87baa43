package io.hydra4j.fuzz;

import io.hydra4j.format.GgufBytes;
import io.hydra4j.heads.HeadsFiles;
import io.hydra4j.heads.TinyHeads;
import io.hydra4j.model.ModelFiles;
import io.hydra4j.model.TinyModel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import java.util.stream.IntStream;

/** Compact files of heads, with draft vocabularies and orders of trees. */
final class CompactHeadsTarget implements FuzzTarget {
    private final GgufDamage damage = new GgufDamage(seed(new Random(1)));

    private static GgufBytes seed(Random random) {
        int[] ids = IntStream.range(0, 32 + random.nextInt(8)).toArray();
        return TinyHeads.compact(random.nextBoolean() ? 0 : ids.length)
                .i32s("hydra.draft_vocabulary", ids)
                .i32s("hydra.tree_paths", 1, 0, 2, 0, 0, 1, 1)
                .f32s("hydra.tree_gains", 1, 0.6f, 0.3f, 0.1f);
    }

    @Override
    public String name() {
        return "compact";
    }

    @Override
    public void write(Random random, Path folder) throws IOException {
        Files.write(folder.resolve("heads.gguf"), damage.damaged(random, seed(random), 3500));
        TinyModel.gguf().write(folder.resolve("base.gguf"));
    }

    @Override
    public void read(Path folder) {
        HeadsFiles.open(folder.resolve("heads.gguf"));
        HeadsFiles.open(
                folder.resolve("heads.gguf"),
                ModelFiles.open(folder.resolve("base.gguf")).config());
    }
}
