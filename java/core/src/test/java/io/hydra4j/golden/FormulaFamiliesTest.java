package io.hydra4j.golden;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import io.hydra4j.decode.Session;
import io.hydra4j.decode.Tree;
import io.hydra4j.runtime.InstructionSet;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What transformers computes in float32 with tiny models of the families whose weights are a formula. */
class FormulaFamiliesTest {
    @TempDir
    private Path folder;

    private static void check(FormulaModel model, Path file, InstructionSet isa) {
        List<Json> prompts = model.golden().get("prompts").list();
        try (Loaded loaded = Loaded.open(file, null, null, 2, isa)) {
            FamilyPrompts.check(loaded, prompts, prompts, Integer.MAX_VALUE, FamilyPrompts.FLOATS);
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "linear",
                "yarn",
                "windows",
                "smollm3",
                "gemma2",
                "gemma3",
                "phi3",
                "phi3-short",
                "granite",
                "olmo2"
            })
    void aFolderComputesTheGoldenLogitsAndTokens(String name) throws IOException {
        FormulaModel model = new FormulaModel(name);
        check(model, model.writeFolder(folder), InstructionSet.AUTO);
    }

    /** Those of Qwen3 with windows have none that says so. */
    @ParameterizedTest
    @ValueSource(strings = {"linear", "yarn", "smollm3", "gemma2", "gemma3", "phi3", "phi3-short", "granite", "olmo2"})
    void aGgufFileComputesTheGoldenLogitsAndTokens(String name) {
        FormulaModel model = new FormulaModel(name);
        check(model, model.writeGguf(folder.resolve("model.gguf")), InstructionSet.AUTO);
    }

    @ParameterizedTest
    @CsvSource({"gemma2, AVX2", "gemma2, PORTABLE", "phi3, AVX2", "olmo2, PORTABLE"})
    void everyInstructionSetComputesTheGoldenLogitsAndTokens(String name, InstructionSet isa) throws IOException {
        Isa.assumeThatItRuns(isa);
        FormulaModel model = new FormulaModel(name);
        check(model, model.writeFolder(folder), isa);
    }

    /** Guesses of heads that nobody trained are mostly wrong: a tree of them must change nothing. */
    @ParameterizedTest
    @ValueSource(strings = {"windows", "smollm3", "gemma2", "gemma3", "phi3", "granite", "olmo2"})
    void aTreeOfDraftHeadsEmitsWhatPlainDecodingDoes(String name) throws IOException {
        FormulaModel model = new FormulaModel(name);
        int[] prompt =
                model.golden().get("prompts").list().get(0).get("prompt_ids").ints();
        Path base = model.writeFolder(Files.createDirectory(folder.resolve("base")));
        Path heads = model.writeHeads(Files.createDirectory(folder.resolve("heads")));
        try (Loaded loaded = Loaded.open(base, heads, null)) {
            int[] plain = emitted(loaded, Tree.ROOT, prompt);
            Tree tree = Tree.of(List.of(List.of(0), List.of(1), List.of(0, 0), List.of(0, 1), List.of(1, 0)));
            assertArrayEquals(plain, emitted(loaded, tree, prompt));
        }
    }

    private static int[] emitted(Loaded loaded, Tree tree, int[] prompt) {
        IntStream.Builder tokens = IntStream.builder();
        try (Session session = loaded.session(tree)) {
            session.prefill(prompt);
            for (int i = 0; i < 24; ) {
                int[] step = session.step().tokens();
                Arrays.stream(step).forEach(tokens::add);
                i += step.length;
            }
        }
        return tokens.build().limit(24).toArray();
    }
}
