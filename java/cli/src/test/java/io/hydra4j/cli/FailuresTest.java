package io.hydra4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import io.hydra4j.cli.CommandLines.Outcome;
import io.hydra4j.format.GgufBytes;
import io.hydra4j.golden.Original;
import io.hydra4j.golden.TestData;
import io.hydra4j.model.TinyModel;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FailuresTest {
    @TempDir
    Path folder;

    private static Outcome failing(String expected, Object... args) {
        Outcome outcome = CommandLines.run(args);
        assertEquals(Main.FAILURE, outcome.code(), outcome.err());
        assertEquals("", outcome.out());
        assertEquals(1, outcome.err().lines().count(), outcome.err());
        assertTrue(outcome.err().startsWith("hydra4j: "), outcome.err());
        assertTrue(outcome.err().contains(expected), outcome.err());
        return outcome;
    }

    @Test
    void aWrongPathIsOneLine() {
        failing("no such file", "generate", "--model", folder.resolve("none.gguf"), "x");
        failing("no such file", "generate", "--model", Original.base(), "--heads", folder.resolve("none"), "x");
        failing("no such file", "generate", "--model", Original.base(), "--prompt-file", folder.resolve("none.txt"));
        failing("no such file", "generate", "--model", Original.base(), "--prompt-ids", folder.resolve("none.jsonl"));
        failing("no such file", "generate", "--model", Original.base(), "--tree", folder.resolve("none.json"), "x");
        failing("no such file", "inspect", folder.resolve("none.gguf"));
        failing("no such file", "tokenize", "--model", folder.resolve("none.gguf"), "x");
    }

    @Test
    void aFileThatThisUserMayNotReadIsPermissionDenied() throws IOException {
        Path prompt = Files.writeString(folder.resolve("prompt"), "x");
        Files.setPosixFilePermissions(prompt, Set.of());
        assumeFalse(Files.isReadable(prompt), "this user may read everything");

        failing("prompt: permission denied", "generate", "--model", Original.base(), "--prompt-file", prompt);
        failing("found permission denied", "inspect", prompt);
    }

    @Test
    void anUnknownInstructionSetIsOneLineWithTheKnownOnes() {
        String before = System.setProperty("hydra4j.isa", "sse");
        try {
            failing(
                    "the system property hydra4j.isa is sse, must be auto, amx, avx512, avx2 or portable",
                    "generate",
                    "--backend",
                    "cpu",
                    "--model",
                    TestData.odd(),
                    "x");
        } finally {
            if (before == null) {
                System.clearProperty("hydra4j.isa");
            } else {
                System.setProperty("hydra4j.isa", before);
            }
        }
    }

    @Test
    void cudaThatCannotBeUsedIsOneLineAndNotTheCpuInstead() {
        String property = "hydra4j.cuda.library";
        String before = System.setProperty(property, "/absent/libhydra4j_cuda.so");
        try {
            failing("/absent/libhydra4j_cuda.so", "generate", "--backend", "cuda", "--model", TestData.odd(), "x");
        } finally {
            if (before == null) {
                System.clearProperty(property);
            } else {
                System.setProperty(property, before);
            }
        }
    }

    @Test
    void halvesForKeysAndValuesOnTheCpuAreOneLineWithTheRemedy() {
        failing(
                "(kv) is f16, and the CPU keeps them as f32 alone: take auto or f32, or compute with CUDA",
                "generate",
                "--backend",
                "cpu",
                "--kv",
                "f16",
                "--model",
                TestData.odd(),
                "x");
    }

    @Test
    void aTruncatedModelIsOneLine() {
        byte[] whole = TinyModel.gguf().build();
        Path file = GgufBytes.write(folder.resolve("short.gguf"), Arrays.copyOf(whole, whole.length / 2));

        failing("the file is incomplete", "generate", "--model", file, "x");
        failing("the file is incomplete", "inspect", file);
    }

    @Test
    void headsOfAnotherModelAreOneLine() {
        failing(
                "hidden size: found 64, expected 120",
                "generate",
                "--model",
                TestData.odd(),
                "--heads",
                Original.heads("hydra"),
                "x");
    }

    @Test
    void guessingThatTheModelCannotDoIsOneLine() throws IOException {
        Path ids = Files.writeString(folder.resolve("ids"), "[256]");
        Path tree = Files.writeString(folder.resolve("tree.json"), "[[0], [1]]");

        failing(
                "the tree asks for 2 candidates of one parent, the drafter has 1",
                "generate",
                "--model",
                Original.base(),
                "--tree",
                tree,
                "--prompt-ids",
                ids);
    }

    @Test
    void roomForTooFewTokensIsOneLine() throws IOException {
        Path ids = Files.writeString(folder.resolve("ids"), "[256]");
        Object[] command = {
            "generate", "--model", Original.base(), "--prompt-ids", ids, "--max-tokens", 63, "--kv-tokens", 96
        };

        failing("(kvTokens)", command);
        command[command.length - 1] = 128;
        assertEquals(Main.OK, CommandLines.run(command).code());
    }

    @Test
    void aCalibrationThatDoesNotFitIsOneLine() throws IOException {
        Path ids = Files.writeString(folder.resolve("ids"), "[256]");
        Path file = folder.resolve("calibration.json");
        Object[] command = {
            "generate",
            "--model",
            Original.base(),
            "--prompt-ids",
            ids,
            "--max-tokens",
            2,
            "--threads",
            1,
            "--save-calibration",
            file
        };
        assertEquals(Main.OK, CommandLines.run(command).code());

        command[command.length - 2] = "--calibration";
        command[command.length - 3] = 2;
        failing("it was made with threads 1, here it is 2: make one here, or leave it out", command);
        failing(
                "none.json: file: found no such file",
                "generate",
                "--model",
                Original.base(),
                "--calibration",
                folder.resolve("none.json"),
                "x");
        command[command.length - 2] = "--save-calibration";
        command[command.length - 1] = folder.resolve("none/calibration.json");
        command[2] = folder.resolve("no-model"); // refused before a model is opened
        failing("calibration.json: cannot be written: give a file in a folder that exists", command);
    }

    @Test
    void aPromptThatDoesNotFitIsOneLine() throws IOException {
        Path model = Original.withTokenizer(Original.variant(folder, List.of(257), 64));

        failing("the prompt has 65 tokens, the model's context holds 64", "generate", "--model", model, "x".repeat(65));
        failing("an empty prompt", "generate", "--model", model, "");
    }

    @Test
    void idsOutsideTheVocabularyNameTheirLine() throws IOException {
        Path ids = Files.writeString(folder.resolve("ids"), "[1]\n\n[1, 260]\n");

        failing(
                "line 3: found 260, expected token ids from 0 to 259",
                "generate",
                "--model",
                Original.base(),
                "--prompt-ids",
                ids);
    }

    @Test
    void textForAModelWithoutTokenizerIsOneLine() throws IOException {
        Path ids = Files.writeString(folder.resolve("ids"), "[256]");

        failing("give token ids with --prompt-ids", "generate", "--model", Original.base(), "x");
        failing("leave out --stop", "generate", "--model", Original.base(), "--prompt-ids", ids, "--stop", "x");
    }

    @Test
    void promptsThatAreNotTextAreOneLine() throws IOException {
        Path file = Files.write(folder.resolve("prompt"), new byte[] {'a', (byte) 0xFF});

        failing("is not UTF-8 text", "generate", "--prompt-file", file);
    }

    @Test
    void controlCharactersInMessagesAreVisible() {
        Outcome outcome = CommandLines.run("inspect", folder.resolve("a\033[2Jb"));

        assertFalse(outcome.err().contains("\033"), outcome.err());
    }

    @Test
    void verboseShowsTheStackTrace() {
        Outcome outcome = CommandLines.run("inspect", "--verbose", folder.resolve("none"));

        assertEquals(Main.FAILURE, outcome.code());
        assertTrue(outcome.err().contains("\n\tat io.hydra4j."), outcome.err());
    }

    @Test
    void aReaderThatHasGoneEndsTheCommandQuietly() {
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        Console console = Console.of(InputStream.nullInputStream(), failingStream("Broken pipe"), err);

        assertEquals(Main.OK, Main.run(console, "inspect", Original.base().toString()));
        assertEquals("", err.toString(StandardCharsets.UTF_8));
    }

    @Test
    void aFullDiskIsAFailure() {
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        Console console = Console.of(InputStream.nullInputStream(), failingStream("No space left on device"), err);

        assertEquals(Main.FAILURE, Main.run(console, "inspect", Original.base().toString()));
        assertEquals(
                "hydra4j: the output cannot be written: No space left on device\n",
                err.toString(StandardCharsets.UTF_8));
    }

    private static OutputStream failingStream(String message) {
        return new OutputStream() {
            @Override
            public void write(int b) throws IOException {
                throw new IOException(message);
            }
        };
    }
}
