package io.hydra4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.cli.CommandLines.Outcome;
import io.hydra4j.golden.Json;
import io.hydra4j.golden.Original;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Sampling by the command line, with a tiny model of bytes. */
class SamplingArgumentsTest {
    private static final String PROMPT = "public class ";

    @TempDir
    static Path folder;

    private static Path model;

    @BeforeAll
    static void makeModelOfTexts() throws IOException {
        model = Original.withTokenizer(
                Original.variant(Files.createDirectory(folder.resolve("texts")), List.of(257), 512));
    }

    private static Json generate(Object... options) {
        List<Object> command = new ArrayList<>(List.of("generate", "--model", model, "--max-tokens", 24, "--json"));
        Collections.addAll(command, options);
        command.add(PROMPT);
        Outcome outcome = CommandLines.run(command.toArray());
        assertEquals(Main.OK, outcome.code(), outcome.err());
        return outcome.json().get(0);
    }

    private static Json sampling(Json result) {
        return result.get("stats").get("sampling");
    }

    private static List<Integer> ids(Json result) {
        return result.get("ids").integers();
    }

    @Test
    void oneSeedIsOneTextWithAndWithoutHeads() {
        Json first = generate("--temperature", 0.8, "--seed", 5);

        assertEquals(ids(first), ids(generate("--temperature", 0.8, "--seed", 5, "--speculation", "off")));
        assertEquals(
                ids(first),
                ids(generate(
                        "--temperature",
                        0.8,
                        "--seed",
                        5,
                        "--speculation",
                        "on",
                        "--heads",
                        Original.heads("hydra-plus-plus"))));
        assertNotEquals(ids(first), ids(generate("--temperature", 0.8, "--seed", 6)));
        assertNotEquals(ids(first), ids(generate()));
    }

    @Test
    void theJsonTellsWhatWasUsed() {
        Json used = sampling(generate(
                "--temperature",
                0.7,
                "--top-k",
                40,
                "--top-p",
                0.95,
                "--min-p",
                0.05,
                "--repetition-penalty",
                1.1,
                "--presence-penalty",
                0.5,
                "--frequency-penalty",
                -0.25,
                "--logit-bias",
                "97=-5",
                "--logit-bias",
                "32=1.5",
                "--seed",
                -7));

        assertEquals(0.7, used.get("temperature").number());
        assertEquals(40, used.get("top_k").integer());
        assertEquals(0.95, used.get("top_p").number());
        assertEquals(0.05, used.get("min_p").number());
        assertEquals(1.1, used.get("repetition_penalty").number());
        assertEquals(0.5, used.get("presence_penalty").number());
        assertEquals(-0.25, used.get("frequency_penalty").number());
        assertEquals(List.of("32", "97"), List.copyOf(used.get("logit_bias").names()));
        assertEquals(-5, used.get("logit_bias").get("97").number());
        assertEquals(-7, used.get("seed").integer());
    }

    @Test
    void greedyIsTheDefault() {
        Json used = sampling(generate());

        assertEquals(0, used.get("temperature").number());
        assertEquals(0, used.get("top_k").integer());
        assertEquals(1, used.get("top_p").number());
        assertEquals(1, used.get("repetition_penalty").number());
        assertFalse(generate().has("logprobs"));
    }

    @Test
    void aRandomSeedIsToldAndGivesTheTextAgain() {
        Json random = generate("--temperature", 1);
        Json another = generate("--temperature", 1);
        String seed = String.format("%.0f", sampling(random).get("seed").number());

        assertNotEquals(
                sampling(random).get("seed").number(),
                sampling(another).get("seed").number());
        assertEquals(ids(random), ids(generate("--temperature", 1, "--seed", seed)));
    }

    @Test
    void promptsOfAFileHaveSeedsOfTheirOwn() throws IOException {
        String prompt = Arrays.toString(PROMPT.chars().toArray());
        Path prompts = Files.writeString(folder.resolve("prompts.jsonl"), prompt + "\n" + prompt + "\n" + prompt);
        Outcome outcome = CommandLines.run(
                "generate",
                "--model",
                model,
                "--max-tokens",
                24,
                "--json",
                "--temperature",
                1,
                "--seed",
                40,
                "--prompt-ids",
                prompts);

        assertEquals(Main.OK, outcome.code(), outcome.err());
        for (int i = 0; i < 3; i++) {
            Json result = outcome.json().get(i);
            assertEquals(40 + i, sampling(result).get("seed").integer());
            assertEquals(ids(generate("--temperature", 1, "--seed", 40 + i)), ids(result));
        }
    }

    @Test
    void logProbabilitiesAreToldOfEachToken() {
        for (String speculation : List.of("on", "off")) {
            Json result = generate(
                    "--temperature",
                    1,
                    "--seed",
                    3,
                    "--logprobs",
                    3,
                    "--speculation",
                    speculation,
                    "--heads",
                    Original.heads("hydra"));
            List<Json> told = result.get("logprobs").list();
            assertEquals(
                    ids(result), told.stream().map(it -> it.get("id").integer()).toList());
            for (Json token : told) {
                List<Json> top = token.get("top").list();
                assertEquals(3, top.size());
                double chosen = token.get("logprob").number();
                double best = top.get(0).get("logprob").number();
                assertTrue(chosen <= best && best <= 0, chosen + " beside " + best);
                assertTrue(best >= top.get(1).get("logprob").number());
            }
        }
    }

    @Test
    void aBiasForATokenThatTheModelDoesNotHaveIsToldInOneLine() {
        Outcome outcome = CommandLines.run("generate", "--model", model, "--logit-bias", "100000=1", PROMPT);

        assertEquals(Main.FAILURE, outcome.code());
        assertEquals(1, outcome.err().lines().count(), outcome.err());
        assertTrue(outcome.err().contains("token 100000, which is outside the vocabulary of"), outcome.err());
    }
}
