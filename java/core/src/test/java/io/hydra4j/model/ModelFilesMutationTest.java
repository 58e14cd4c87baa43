package io.hydra4j.model;

import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.FormatException;
import io.hydra4j.format.GgufBytes;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Random;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Random damage to the headers of valid files: they open, or fail as promised; nothing else may happen. */
class ModelFilesMutationTest {
    private static final int TRIALS = 2000;
    private static final byte[] TELLING_BYTES = {0, 1, 9, 13, 32, 127, -128, -1};

    @TempDir
    private Path folder;

    @Test
    void aDamagedGgufFileOpensOrIsRefused() {
        var path = folder.resolve("model.gguf");
        assertRefused(TinyModel.gguf().build(), 3200, path, () -> ModelFiles.open(path));
    }

    @Test
    void aDamagedSafetensorsFileOpensOrIsRefused() {
        TinyModel.writeJson(folder.resolve("config.json"), TinyModel.config());
        assertRefused(
                TinyModel.safetensors().build(),
                2200,
                folder.resolve("model.safetensors"),
                () -> ModelFiles.open(folder));
    }

    private static void assertRefused(byte[] whole, int headerBytes, Path path, Supplier<ModelFiles> reading) {
        int refused =
                assertTimeoutPreemptively(Duration.ofMinutes(1), () -> countRefused(whole, headerBytes, path, reading));
        assertTrue(refused > TRIALS / 2, "only " + refused + " of " + TRIALS + " files were refused");
    }

    private static int countRefused(byte[] whole, int headerBytes, Path path, Supplier<ModelFiles> reading) {
        var random = new Random(20240207);
        int refused = 0;
        for (int trial = 0; trial < TRIALS; trial++) {
            var bytes = whole.clone();
            for (int i = random.nextInt(4); i >= 0; i--) {
                bytes[random.nextInt(headerBytes)] = random.nextBoolean()
                        ? TELLING_BYTES[random.nextInt(TELLING_BYTES.length)]
                        : (byte) random.nextInt();
            }
            int length = random.nextInt(8) == 0 ? random.nextInt(bytes.length) : bytes.length;
            GgufBytes.write(path, Arrays.copyOf(bytes, length));
            refused += isRefused(reading) ? 1 : 0;
        }
        return refused;
    }

    private static boolean isRefused(Supplier<ModelFiles> reading) {
        try {
            reading.get();
            return false;
        } catch (FormatException e) {
            return true;
        }
    }
}
