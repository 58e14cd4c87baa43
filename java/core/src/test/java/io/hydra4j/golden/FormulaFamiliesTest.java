package io.hydra4j.golden;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.decode.Session;
import io.hydra4j.decode.Tree;
import io.hydra4j.model.ModelFiles;
import io.hydra4j.runtime.Backend;
import io.hydra4j.runtime.InstructionSet;
import io.hydra4j.runtime.KvType;
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
                "olmo2",
                "odd"
            })
    void aFolderComputesTheGoldenLogitsAndTokens(String name) throws IOException {
        FormulaModel model = new FormulaModel(name);
        check(model, model.writeFolder(folder), InstructionSet.AUTO);
    }

    /** Those of Qwen3 with windows have none that says so. */
    @ParameterizedTest
    @ValueSource(
            strings = {"linear", "yarn", "smollm3", "gemma2", "gemma3", "phi3", "phi3-short", "granite", "olmo2", "odd"
            })
    void aGgufFileComputesTheGoldenLogitsAndTokens(String name) {
        FormulaModel model = new FormulaModel(name);
        check(model, model.writeGguf(folder.resolve("model.gguf")), InstructionSet.AUTO);
    }

    /** The two ways in which transformers has named the tensors of Gemma 3 with images. */
    @ParameterizedTest
    @CsvSource({"language_model.model., vision_tower.", "model.language_model., model.multi_modal_projector."})
    void theTextModelOfAFolderThatTakesImagesInIsOpened(String prefix, String imagePrefix) throws IOException {
        FormulaModel model = new FormulaModel("gemma3");
        Path file = model.writeFolderWithImages(folder, prefix, imagePrefix);
        List<Json> prompts = model.golden().get("prompts").list();
        try (Loaded loaded = Loaded.open(file, null, null)) {
            FamilyPrompts.check(loaded, prompts, prompts, Integer.MAX_VALUE, FamilyPrompts.FLOATS);
            assertEquals(
                    List.of("1 tensors that do not change the text were left aside: " + imagePrefix + "a.weight"),
                    loaded.base().notices());
        }
    }

    /** As transformers does with every text of at most so many tokens. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void aContextThatIsNoLongerThanTheOriginalOneTakesTheAnglesOfShortTexts(boolean gguf) throws IOException {
        FormulaModel model = new FormulaModel("phi3");
        Path file = gguf ? model.writeGguf(folder.resolve("model.gguf")) : model.writeFolder(folder);
        List<Json> prompts = model.golden().get("short").list();
        try (Loaded loaded = Loaded.open(
                Backend.openCpu(1, InstructionSet.AUTO), ModelFiles.open(file, 32), null, null, KvType.AUTO)) {
            FamilyPrompts.check(loaded, prompts, prompts, Integer.MAX_VALUE, FamilyPrompts.FLOATS);
            assertEquals(
                    List.of(),
                    loaded.base().notices().stream()
                            .filter(line -> line.contains("LongRoPE"))
                            .toList());
        }
        try (Loaded loaded = Loaded.open(file, null, null)) {
            assertThrows(
                    AssertionError.class,
                    () -> FamilyPrompts.check(loaded, prompts, prompts, Integer.MAX_VALUE, FamilyPrompts.FLOATS));
            String told = String.join("\n", loaded.base().notices());
            assertTrue(told.contains("of more than 32 tokens (LongRoPE), for the context is 256"), told);
        }
    }

    @ParameterizedTest
    @CsvSource({
        "gemma2, AVX2",
        "gemma2, PORTABLE",
        "phi3, AVX2",
        "olmo2, PORTABLE",
        "odd, AVX512",
        "odd, AVX2",
        "odd, PORTABLE"
    })
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
