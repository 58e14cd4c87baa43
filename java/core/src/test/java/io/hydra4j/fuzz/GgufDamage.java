package io.hydra4j.fuzz;

import io.hydra4j.format.GgufBytes;
import io.hydra4j.format.GgufFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/** Damage to GGUF files: values of wrong kind or size, tensors of other shapes, types and places, counts, bytes. */
final class GgufDamage {
    private final List<String> keys;
    private final List<String> tensors;

    /** @param good a file like those that will be damaged */
    GgufDamage(GgufBytes good) {
        try {
            Path file = Files.createTempFile("fuzz", ".gguf");
            try {
                GgufFile read = GgufFile.read(good.write(file));
                keys = new ArrayList<>(read.metadata().keySet());
                tensors = new ArrayList<>(read.tensors().keySet());
            } finally {
                Files.delete(file);
            }
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    /** @param file a good file of its own, which is changed */
    byte[] damaged(Random random, GgufBytes file, int headerBytes) {
        int changes = random.nextInt(4);
        for (int i = 0; i < changes; i++) {
            if (random.nextInt(3) > 0) {
                metadata(random, file, keys.get(random.nextInt(keys.size())));
            } else {
                tensor(random, file, tensors.get(random.nextInt(tensors.size())));
            }
        }
        byte[] bytes = file.build();
        return random.nextInt(changes == 0 ? 2 : 6) == 0 ? Damage.bytes(random, bytes, headerBytes) : bytes;
    }

    private static void metadata(Random random, GgufBytes file, String key) {
        switch (random.nextInt(9)) {
            case 0 -> file.without(key);
            case 1 -> file.string(key, Damage.text(random));
            case 2 -> file.f32(key, (float) Damage.decimal(random));
            case 3 -> file.strings(key, Damage.text(random), Damage.text(random));
            case 4 -> file.i32s(key, random.ints(random.nextInt(50), -2, 50).toArray());
            case 5 -> file.raw(key, GgufBytes.bytes(11, Damage.number(random)));
            case 6 -> file.raw(key, GgufBytes.bytes(9, random.nextInt(14), Damage.number(random)));
            default -> file.u32(key, Damage.number(random));
        }
    }

    private static void tensor(Random random, GgufBytes file, String name) {
        switch (random.nextInt(5)) {
            case 0 -> file.withoutTensor(name);
            case 1 -> file.change(name, info -> info.withName(Damage.text(random)));
            case 2 -> file.change(name, info -> info.withType((int) Damage.number(random)));
            case 3 -> file.change(name, info -> info.withOffset(Damage.number(random)));
            default -> file.change(
                    name,
                    info -> info.withDimensions(random.longs(random.nextInt(6), 0, 130)
                            .map(size -> random.nextInt(4) == 0 ? Damage.number(random) : size)
                            .toArray()));
        }
    }
}
