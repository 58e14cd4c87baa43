package io.hydra4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.cli.CommandLines.Outcome;
import io.hydra4j.decode.Tree;
import io.hydra4j.format.Tensor;
import io.hydra4j.format.TensorType;
import io.hydra4j.golden.Original;
import io.hydra4j.golden.TestData;
import io.hydra4j.heads.HeadsFiles;
import io.hydra4j.heads.HeadsTensors;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ConvertTest {
    @TempDir
    Path folder;

    private Path model;
    private Path text;
    private Path output;

    @BeforeEach
    void makeModelAndText() throws IOException {
        model = Original.withTokenizer(
                Original.variant(Files.createDirectory(folder.resolve("base")), List.of(257), 1024));
        text = Files.writeString(
                folder.resolve("text.txt"),
                String.join("\n", TestData.heldOutPrompts().subList(0, 20)));
        output = folder.resolve("heads.gguf");
    }

    private Outcome convert(String heads, Object... more) {
        return convert(Original.heads(heads), more);
    }

    private Outcome convert(Path heads, Object... more) {
        Object[] args = new Object[11 + more.length];
        Object[] common = {
            "convert", "--model", model, "--heads", heads, "--text", text, "--output", output, "--threads", 1
        };
        System.arraycopy(common, 0, args, 0, common.length);
        System.arraycopy(more, 0, args, common.length, more.length);
        return CommandLines.run(args);
    }

    @ParameterizedTest
    @ValueSource(strings = {"hydra-ungrounded", "hydra", "hydra-plus-plus"})
    void headsBecomeACompactFileThatSuitsTheText(String heads) throws IOException {
        Outcome outcome = convert(heads, "--tokens", 600, "--nodes", 12, "--vocabulary", 100);

        assertEquals(Main.OK, outcome.code(), outcome.err());
        HeadsTensors made = HeadsFiles.open(output);
        assertEquals(100, made.draftVocabulary().size());
        assertTrue(made.draftVocabulary().indexOf((int) 'e') < 10, "letters are frequent");
        assertEquals(11, made.treeOrder().paths().size());
        assertEquals(12, Tree.of(made.treeOrder().paths()).nodes());
        assertEquals(
                TensorType.Q8_0, made.heads().get(0).blocks().get(0).linear().type());
        assertEquals(100, made.heads().get(0).lmHead().rows());
        assertTrue(outcome.out().contains(String.format("%,d bytes, q8_0", Files.size(output))), outcome.out());
        assertTrue(outcome.out().lines().anyMatch(line -> line.trim().matches("100 +\\d\\.\\d{3} +\\d+  chosen")));
    }

    @Test
    void aTorchCheckpointIsConvertedAsItsSafetensorsAre() throws IOException {
        Object[] options = {"--tokens", 300, "--nodes", 6, "--vocabulary", 100};
        convert("hydra-plus-plus", options);
        Path expected = output;
        Path published = TestData.shared("golden/hydra-original/hydra-plus-plus");
        Path torch = Files.createDirectory(folder.resolve("torch"));
        Files.copy(published.resolve("config.json"), torch.resolve("config.json"));
        Files.copy(published.resolve("hydra_lm_head.pt"), torch.resolve("hydra_lm_head.pt"));
        output = folder.resolve("torch.gguf");

        Outcome outcome = convert(torch, options);

        assertEquals(Main.OK, outcome.code(), outcome.err());
        HeadsTensors fromSafetensors = HeadsFiles.open(expected);
        HeadsTensors fromTorch = HeadsFiles.open(output);
        assertEquals(fromSafetensors.config(), fromTorch.config());
        assertEquals(fromSafetensors.draftVocabulary(), fromTorch.draftVocabulary());
        assertEquals(fromSafetensors.treeOrder(), fromTorch.treeOrder());
        assertEquals(contents(fromSafetensors), contents(fromTorch));
        // Blocks that share their weights share them in torch's format alone.
        assertTrue(Files.size(output) < Files.size(expected));
    }

    private static List<String> contents(HeadsTensors heads) throws IOException {
        List<String> contents = new ArrayList<>();
        for (Tensor tensor : heads.all()) {
            byte[] bytes = Files.readAllBytes(tensor.file());
            int from = Math.toIntExact(tensor.offset());
            bytes = Arrays.copyOfRange(bytes, from, from + Math.toIntExact(tensor.bytes()));
            contents.add(tensor.name() + tensor.type() + tensor.shape() + Arrays.toString(bytes));
        }
        return contents;
    }

    @Test
    void theVocabularyIsChosenByMeasurement() {
        Outcome outcome = convert("hydra", "--tokens", 600, "--type", "q4_0");

        assertEquals(Main.OK, outcome.code(), outcome.err());
        HeadsTensors made = HeadsFiles.open(output);
        assertNull(made.draftVocabulary(), "there is no smaller size to compare");
        assertNotNull(made.treeOrder());
        assertEquals(TensorType.Q4_0, made.heads().get(0).lmHead().type());
    }

    @Test
    void aCompactFileCanBeConvertedAgain() {
        convert("hydra-plus-plus", "--tokens", 300, "--type", "f32", "--vocabulary", 120);
        Path first = output;
        output = folder.resolve("again.gguf");

        Outcome outcome = CommandLines.run(
                "convert",
                "--model",
                model,
                "--heads",
                first,
                "--text",
                text,
                "--output",
                output,
                "--tokens",
                300,
                "--vocabulary",
                200,
                "--type",
                "q4_1");

        assertEquals(Main.OK, outcome.code(), outcome.err());
        assertEquals(120, HeadsFiles.open(output).draftVocabulary().size());
    }

    @Test
    void linesOfJsonAreDocuments() throws IOException {
        text = Files.writeString(
                folder.resolve("text.jsonl"),
                "{\"text\": \"int i = 0;\\n\"}\n\n{\"name\": 1, \"text\": \"return \\u0065;\"}\n{\"text\": \"\"}\n");

        assertEquals(Main.OK, convert("hydra", "--tokens", 256).code());
        assertTrue(Files.exists(output));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "text.jsonl | {\"text\": \"a\"}\\n{\"text\": 1} | text.jsonl: line 2: text: found 1, expected a text",
                "text.jsonl | {\"text\": \"a\"}\\n{} | text.jsonl: line 2: text: found nothing",
                "text.jsonl | {\"text\": \"a\"}\\n{\"text\": \"b\" | text.jsonl: line 2: found Unexpected end",
                "text.jsonl | {\"text\": \"\"} | text.jsonl: has no text",
                "empty.txt | '' | empty.txt: has no text"
            })
    void textsThatCannotBeUsedAreTold(String name, String content, String message) throws IOException {
        text = Files.writeString(folder.resolve(name), content.replace("\\n", "\n"));

        Outcome outcome = convert("hydra", "--tokens", 256);

        assertEquals(Main.FAILURE, outcome.code());
        assertTrue(outcome.err().contains(message), outcome.err());
        assertEquals(1, outcome.err().lines().count());
        assertFalse(Files.exists(output));
    }

    @ParameterizedTest
    @CsvSource({
        "--vocabulary, 0",
        "--vocabulary, many",
        "--type, q6_k",
        "--nodes, 1",
        "--nodes, 65",
        "--tokens, 0",
        "--threads, 0"
    })
    void optionsOutOfRangeAreWrongUsage(String option, String value) {
        Outcome outcome = CommandLines.run(
                "convert",
                "--model",
                model,
                "--heads",
                Original.heads("hydra"),
                "--text",
                text,
                "--output",
                output,
                option,
                value);

        assertEquals(Main.USAGE, outcome.code());
        assertTrue(outcome.err().contains(option), outcome.err());
    }

    @Test
    void anOutputThatCannotBeWrittenIsTold() {
        output = folder.resolve("nowhere/heads.gguf");

        Outcome outcome = convert("hydra", "--tokens", 256);

        assertEquals(Main.FAILURE, outcome.code());
        assertTrue(outcome.err().contains("cannot be written"), outcome.err());
    }
}
