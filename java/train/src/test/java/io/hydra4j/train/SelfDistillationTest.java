package io.hydra4j.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.FormatException;
import io.hydra4j.HydraException;
import io.hydra4j.golden.Json;
import io.hydra4j.golden.Original;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.TreeMap;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SelfDistillationTest {
    @TempDir
    static Path folder;

    private static Path model;

    @BeforeAll
    static void makeModel() throws IOException {
        model = Original.withTokenizer(
                Original.variant(Files.createDirectory(folder.resolve("base")), List.of(257), 256));
    }

    private static SelfDistillation distillation(String name) {
        return SelfDistillation.of(model, folder.resolve(name), 900)
                .withLength(40)
                .withThreads(1)
                .withSeed(3);
    }

    /** Texts by their number. */
    private static TreeMap<Long, List<Integer>> texts(String name) throws IOException {
        TreeMap<Long, List<Integer>> texts = new TreeMap<>();
        for (String line : Files.readAllLines(folder.resolve(name))) {
            Json json = Json.parse(line);
            List<Integer> ids = new ArrayList<>();
            json.get("tokens").list().forEach(id -> ids.add(id.integer()));
            texts.put((long) json.get("number").integer(), ids);
        }
        return texts;
    }

    @Test
    void whatWasCutOffIsWrittenAgainAndTheSame() throws IOException {
        List<Double> progress = new ArrayList<>();
        assertTrue(distillation("whole.jsonl").withProgress(progress::add).write());
        var whole = texts("whole.jsonl");
        assertTrue(whole.size() >= 900 / 40 && whole.get(0L).size() <= 40, whole::toString);
        assertTrue(whole.values().stream().distinct().count() > whole.size() / 2);
        assertEquals(1.0, progress.get(progress.size() - 1));

        int[] steps = {60};
        assertFalse(
                distillation("cut.jsonl").withCancelled(() -> steps[0]-- == 0).write());
        byte[] written = Files.readAllBytes(folder.resolve("cut.jsonl"));
        Files.write(folder.resolve("cut.jsonl"), Arrays.copyOf(written, written.length - 7));
        assertTrue(distillation("cut.jsonl").write());

        var cut = texts("cut.jsonl");
        cut.keySet().retainAll(whole.keySet());
        assertTrue(cut.size() >= whole.size() - 16);
        cut.forEach((number, text) -> assertEquals(whole.get(number), text));
        byte[] complete = Files.readAllBytes(folder.resolve("cut.jsonl"));
        assertTrue(distillation("cut.jsonl").write());
        assertArrayEquals(complete, Files.readAllBytes(folder.resolve("cut.jsonl")));
    }

    @Test
    void headsLearnFromWhatIsWrittenAfterPrompts() throws IOException {
        Path prompts = Files.write(
                folder.resolve("prompts.jsonl"),
                List.of("{\"text\": \"public class A {\"}", "{\"text\": \"import java.util.List;\"}"));
        assertTrue(distillation("prompted.jsonl")
                .withPrompts(List.of(prompts))
                .withTemperature(0.8f)
                .write());
        String first = Files.readAllLines(folder.resolve("prompted.jsonl")).get(0);
        assertTrue(first.contains("\"prompt_tokens\":8") || first.contains("\"prompt_tokens\":11"), first);

        TrainingResult result = HeadTraining.of(
                        model,
                        List.of(folder.resolve("prompted.jsonl")),
                        folder.resolve("heads"),
                        TrainingOptions.builder(Recipe.HYDRA)
                                .tokens(500)
                                .sequenceLength(64)
                                .heldOutTokens(128)
                                .threads(1)
                                .treeNodes(0)
                                .build())
                .run();
        assertTrue(result.complete());
    }

    @Test
    void whatIsNoSuchFileIsRefusedAndKept() throws IOException {
        Path other = Files.writeString(folder.resolve("other.jsonl"), "{\"text\": \"mine\"}\n");
        assertThrows(FormatException.class, () -> distillation("other.jsonl").write());
        assertEquals("{\"text\": \"mine\"}\n", Files.readString(other));
        Path empty = Files.writeString(folder.resolve("empty.txt"), "");
        assertThrows(
                TrainingException.NoData.class,
                () -> distillation("none.jsonl").withPrompts(List.of(empty)).write());
        assertFalse(Files.exists(folder.resolve("none.jsonl")), "a file of nothing is left");
        assertThrows(
                IllegalArgumentException.class, () -> distillation("a.jsonl").withTemperature(-1));
        assertThrows(
                IllegalArgumentException.class, () -> distillation("a.jsonl").withLength(7));
        assertThrows(IllegalArgumentException.class, () -> SelfDistillation.of(model, other, 0));
        Path folderInPlace = Files.createDirectory(folder.resolve("folder.jsonl"));
        assertThrows(TrainingException.NotSaved.class, () -> distillation("folder.jsonl")
                .write());
        assertTrue(Files.isDirectory(folderInPlace));
        assertThrows(HydraException.class, () -> distillation("no/such/a.jsonl").write());
        HydraException noModel = assertThrows(HydraException.class, () -> SelfDistillation.of(
                        folder.resolve("no.gguf"), folder.resolve("new/a.jsonl"), 5)
                .write());
        assertTrue(noModel.getMessage().contains("no.gguf"), noModel.getMessage());
        assertFalse(Files.exists(folder.resolve("new")), "a folder of nothing is left");
    }
}
