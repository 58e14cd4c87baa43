package io.hydra4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.cli.CommandLines.Outcome;
import io.hydra4j.format.TorchBytes;
import io.hydra4j.golden.Json;
import io.hydra4j.golden.Original;
import io.hydra4j.model.TinyModel;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class InspectTest {
    @TempDir
    Path folder;

    @Test
    void aGgufFileIsShownWithItsMetadataAndTensors() {
        Path file = TinyModel.gguf().write(folder.resolve("tiny.gguf"));

        Outcome outcome = CommandLines.run("inspect", file);

        assertEquals(Main.OK, outcome.code(), outcome.err());
        assertTrue(outcome.out().contains("GGUF file, version 3\n"), outcome.out());
        assertTrue(
                outcome.out().contains("Llama model: 2 layers, hidden 32, 4 query and 2 KV heads of 8,"),
                outcome.out());
        assertTrue(outcome.out().matches("(?s).*\nllama.attention.layer_norm_rms_epsilon +1.0E-5\n.*"), outcome.out());
        assertTrue(outcome.out().matches("(?s).*\ntoken_embd.weight +Q8_0 +40 x 32 +1.36 KB\n.*"), outcome.out());
        assertTrue(
                outcome.out().contains("[\"t0\", \"t1\", \"t2\", \"t3\", \"t4\", \"t5\", \"t6\", \"t7\", ...] (40)\n"),
                outcome.out());
    }

    @Test
    void theJsonHoldsArraysInFull() {
        Path file = TinyModel.gguf().write(folder.resolve("tiny.gguf"));

        Json json = CommandLines.run("inspect", "--json", file).json().get(0);

        Json metadata = json.get("metadata");
        assertEquals("llama", metadata.get("general.architecture").text());
        assertEquals(40, metadata.get("tokenizer.ggml.tokens").list().size());
        assertEquals(21, json.get("tensors").list().size());
        Json first = json.get("tensors").at(0);
        assertEquals("token_embd.weight", first.get("name").text());
        assertEquals("[40, 32]", first.get("shape").integers().toString());
        assertEquals(1360, first.get("bytes").integer());
    }

    @Test
    void aPipeInAFolderIsNotReadFrom() throws IOException, InterruptedException {
        TinyModel.safetensors().write(folder.resolve("model.safetensors"));
        Path config = folder.resolve("config.json");
        assertEquals(0, new ProcessBuilder("mkfifo", config.toString()).start().waitFor());

        Outcome outcome = assertTimeoutPreemptively(Duration.ofMinutes(1), () -> CommandLines.run("inspect", folder));

        assertEquals(Main.FAILURE, outcome.code());
        assertTrue(outcome.err().contains("config.json: file: found no regular file"), outcome.err());
    }

    @Test
    void textOfTheFileCannotSteerTheTerminal() {
        Path file = TinyModel.gguf()
                .string("general.name", "\033]0;title\007\n\u202e" + "long".repeat(100))
                .write(folder.resolve("evil.gguf"));

        Outcome table = CommandLines.runOnTerminal("inspect", file);
        Outcome json = CommandLines.runOnTerminal("inspect", "--json", file);

        assertEquals(Main.OK, table.code(), table.err());
        assertTrue(table.out().contains("\"\\u001b]0;title\\u0007\\n\\u202elonglong"), table.out());
        for (String out : new String[] {table.out(), json.out()}) {
            assertTrue(out.chars().allMatch(c -> c == '\n' || c >= ' ' && c < 0x7F), out);
        }
        assertTrue(json.json().get(0).get("metadata").get("general.name").text().startsWith("\033]0;title"));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "base                              | Hugging Face folder   | Llama model: 2 layers",
                "base/model.safetensors            | safetensors file      | tensors; open the folder",
                "hydra-ungrounded                  | folder of draft heads | Medusa heads: 4 heads of 1 layers",
                "hydra                             | folder of draft heads | Hydra heads: 4 heads of 1 layers",
                "hydra-plus-plus                   | folder of draft heads | Hydra++ heads: 4 heads of 4 layers"
            })
    void foldersAndHeadsAreTold(String name, String format, String use) {
        Outcome outcome = CommandLines.run("inspect", Original.base().resolveSibling(name));
        if (!name.startsWith("base")) {
            Original.heads(name);
        }

        assertEquals(Main.OK, outcome.code(), outcome.err());
        assertTrue(outcome.out().contains(format), outcome.out());
        assertTrue(outcome.out().contains(use), outcome.out());
    }

    @Test
    void tensorsOfATorchCheckpointAreTold() {
        Path file = new TorchBytes()
                .tensor("0.0.linear.weight", "BFloat16Storage", 4, 6)
                .write(folder.resolve("medusa_lm_head.pt"));

        Outcome outcome = CommandLines.run("inspect", file);

        assertEquals(Main.OK, outcome.code(), outcome.err());
        assertTrue(outcome.out().contains("torch checkpoint"), outcome.out());
        assertTrue(outcome.out().contains("0.0.linear.weight"), outcome.out());
    }

    @Test
    void aModelThatCannotBeOpenedIsShownWithTheReason() {
        Path file = TinyModel.gguf().u32("llama.attention.head_count", 3).write(folder.resolve("broken.gguf"));

        Outcome outcome = CommandLines.run("inspect", file);

        assertEquals(Main.OK, outcome.code(), outcome.err());
        assertTrue(outcome.out().contains("not as a model: " + file), outcome.out());
        assertFalse(outcome.out().contains("Llama model"), outcome.out());
    }

    @Test
    void aModelIsToldWhatItNeedsHereAndWhichKernelsWouldRun() {
        Outcome outcome = CommandLines.run(
                "inspect", Original.base(), "--heads", Original.heads("hydra-plus-plus"), "--backend", "cpu");

        assertEquals(Main.OK, outcome.code(), outcome.err());
        assertTrue(outcome.out().matches("(?s).*\ncomputed by .*kernels for \\w+.*"), outcome.out());
        assertTrue(outcome.out().matches("(?s).*\ndraft heads +fit: 4 heads\n.*"), outcome.out());
        assertTrue(outcome.out().matches("(?s).*\nF32 matrices +\\d+, .* computed as they are\n.*"), outcome.out());
        Json here = CommandLines.run(
                        "inspect", "--json", Original.base(), "--heads", Original.heads("hydra"), "--backend", "cpu")
                .json()
                .get(0)
                .get("here");
        Json memory = here.get("memory");
        assertTrue(memory.get("draft heads").integer() > 0);
        assertTrue(memory.get("weights").integer() > 0);
        assertTrue(here.get("memory_bytes").number()
                > memory.get("weights").integer() + memory.get("draft heads").integer());
        assertTrue(here.get("free_bytes").number() > 0);
    }

    @Test
    void headsOfAnotherBaseAreToldNotToFit() {
        Path file = TinyModel.gguf().write(folder.resolve("tiny.gguf"));

        Outcome outcome = CommandLines.run("inspect", file, "--heads", Original.heads("hydra"), "--backend", "cpu");

        assertEquals(Main.OK, outcome.code(), outcome.err());
        assertTrue(outcome.out().contains("do not fit: "), outcome.out());
        assertFalse(outcome.out().contains("  draft heads"), outcome.out());
        Outcome wrong = CommandLines.run("inspect", Original.heads("hydra"), "--heads", Original.heads("hydra"));
        assertEquals(Main.FAILURE, wrong.code());
        assertTrue(wrong.err().contains("give --heads with a model"), wrong.err());
    }
}
