package io.hydra4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.cli.CommandLines.Outcome;
import io.hydra4j.golden.Json;
import io.hydra4j.golden.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TokenizeTest {
    private static final Path MODEL = TestData.odd();

    @TempDir
    Path folder;

    private static List<Json> cases() {
        return Json.read(MODEL.resolve("tokenizer-golden.json")).get("cases").list();
    }

    @Test
    void idsOfTextFromStandardInputAreThoseOfTheTokenizer() {
        for (Json text : cases()) {
            Outcome outcome = CommandLines.runWith(text.get("text").text(), "tokenize", "--model", MODEL);

            assertEquals(Main.OK, outcome.code(), outcome.err());
            assertEquals(text.get("ids").integers(), outcome.json().get(0).integers());
        }
    }

    @Test
    void whatTheTokenizerAddsCanBeLeftOut() {
        Json text = cases().get(1);

        Outcome outcome = CommandLines.run(
                "tokenize",
                "--model",
                MODEL.resolve("tokenizer.json"),
                "--no-special",
                text.get("text").text());

        assertEquals(
                text.get("ids_without_added_special").integers(),
                outcome.json().get(0).integers());
    }

    @Test
    void linesOfIdsBecomeText() throws IOException {
        String first =
                CommandLines.run("tokenize", "--model", MODEL, "int i = 0;").out();
        String second = CommandLines.run("tokenize", "--model", MODEL, "été").out();
        Path file = Files.writeString(folder.resolve("ids"), first + second);

        assertEquals(
                "int i = 0;\nété\n",
                CommandLines.run("tokenize", "--model", MODEL, "--decode", "--file", file)
                        .out());
        assertEquals(
                "int i = 0;\n",
                CommandLines.runWith(first, "tokenize", "--model", MODEL, "--decode")
                        .out());
        assertEquals(
                "été\n",
                CommandLines.run("tokenize", "--model", MODEL, "--ids", second.strip())
                        .out());
    }

    @Test
    void textOnATerminalCannotSteerIt() {
        String ids = CommandLines.run("tokenize", "--model", MODEL, "\033[2J").out();

        assertEquals(
                "\\u001b[2J\n",
                CommandLines.runOnTerminal("tokenize", "--model", MODEL, "--ids", ids)
                        .out());
    }

    @Test
    void idsThatTheTokenizerDoesNotHaveAreToldWithTheirLine() throws IOException {
        Path file = Files.writeString(folder.resolve("ids"), "[1]\n[1, 99999]\n");

        Outcome outcome = CommandLines.run("tokenize", "--model", MODEL, "--decode", "--file", file);

        assertEquals(Main.FAILURE, outcome.code());
        assertTrue(outcome.err().contains("ids: line 2: found id 99999"), outcome.err());
    }

    @Test
    void specialTokensCanBeTakenAsText() {
        String text = "a<|endoftext|>b";
        String parsed = CommandLines.run("tokenize", "--model", MODEL, text).out();
        String plain = CommandLines.run("tokenize", "--model", MODEL, "--special-as-text", text)
                .out();

        assertNotEquals(parsed, plain);
        assertEquals(
                text + "\n",
                CommandLines.run("tokenize", "--model", MODEL, "--ids", plain).out());
        assertEquals(
                "ab\n",
                CommandLines.run("tokenize", "--model", MODEL, "--ids", parsed).out());
    }

    @Test
    void textThatBeginsWithAnAtSignIsTextAndNoFile() throws IOException {
        Path file = Files.writeString(folder.resolve("secret"), "int i = 0;");

        String ids = CommandLines.run("tokenize", "--model", MODEL, "@" + file).out();

        assertEquals(
                "@" + file + "\n",
                CommandLines.run("tokenize", "--model", MODEL, "--ids", ids.strip())
                        .out());
    }

    @Test
    void aFolderWithSentencePieceAloneGetsAHint() throws IOException {
        Files.createFile(folder.resolve("tokenizer.model"));

        Outcome outcome = CommandLines.run("tokenize", "--model", folder, "x");

        assertEquals(Main.FAILURE, outcome.code());
        assertTrue(outcome.err().contains("of tokenizer.model make a tokenizer.json"), outcome.err());
    }

    @Test
    void theDefaultModelsTokenizerIsInTheJar() {
        Outcome outcome = CommandLines.run("tokenize", "--no-special", "int i");

        assertEquals(Main.OK, outcome.code(), outcome.err());
        assertEquals(
                "int i\n",
                CommandLines.run("tokenize", "--ids", outcome.out().strip()).out());
    }

    @Test
    void idsThatAreNoneAreToldWithTheirLine() {
        Outcome outcome = CommandLines.run("tokenize", "--model", MODEL, "--ids", "[1, x]");

        assertEquals(Main.FAILURE, outcome.code());
        assertTrue(outcome.err().startsWith("hydra4j: --ids: line 1: "), outcome.err());
    }
}
