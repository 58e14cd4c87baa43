package io.hydra4j.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.golden.Loaded;
import io.hydra4j.runtime.WeightType;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class Q4KTest {
    @Test
    void theCpuConvertsToF16AndSaysSo(@TempDir Path folder) {
        Path file = Q4KModel.write(folder.resolve("model.gguf"));
        try (Loaded converted = Loaded.open(file, null, null);
                Loaded exact = Loaded.open(file, null, WeightType.F32)) {
            String notice = converted.base().notice();
            assertTrue(notice.startsWith(Q4KModel.MATRICES + " Q4_K tensors have no kernel"), notice);
            assertEquals(WeightType.F16, converted.base().embedding().type());
            assertEquals("", exact.base().notice());
            for (int row = 0; row < Q4KModel.VOCABULARY; row++) {
                assertArrayEquals(
                        exact.base().embedding().read(row),
                        converted.base().embedding().read(row),
                        1e-3f);
            }
        }
    }
}
