package io.hydra4j.golden;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What transformers computes in float32 with tiny models whose weights are a formula, on CUDA; one prompt on the emulation. */
@ExtendWith(Cuda.class)
class FormulaFamiliesCudaTest {
    @TempDir
    private Path folder;

    @ParameterizedTest
    @ValueSource(strings = {"windows", "smollm3", "gemma2", "gemma3", "phi3", "granite", "olmo2", "odd"})
    void computesTheGoldenLogitsAndTokens(String name) throws IOException {
        FormulaModel model = new FormulaModel(name);
        List<Json> prompts = Cuda.cases(model.golden().get("prompts").list(), 0, 1);
        try (Loaded loaded = Cuda.open(model.writeFolder(folder), null, null)) {
            FamilyPrompts.check(
                    loaded, prompts, prompts, Cuda.emulated() ? 2 : Integer.MAX_VALUE, FamilyPrompts.FLOATS);
        }
    }
}
