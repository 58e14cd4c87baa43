package io.hydra4j.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.Calibration;
import io.hydra4j.cli.CommandLines.Outcome;
import io.hydra4j.golden.Json;
import io.hydra4j.golden.Original;
import io.hydra4j.golden.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Generates with a tiny model of bytes whose ids are known. */
class GenerateTest {
    private static final String PROMPT = "public class ";

    @TempDir
    static Path folder;

    private static Path texts;

    @BeforeAll
    static void makeModelOfTexts() throws IOException {
        texts = Original.withTokenizer(
                Original.variant(Files.createDirectory(folder.resolve("texts")), List.of(257), 512));
    }

    private static Path idsFile(List<int[]> prompts) throws IOException {
        String lines = prompts.stream().map(Arrays::toString).collect(Collectors.joining("\n"));
        return Files.writeString(folder.resolve("prompts.jsonl"), lines);
    }

    /** All that holds of every result. */
    private static void assertConsistent(Json result) {
        Json stats = result.get("stats");
        int[] steps = result.get("tokens_per_step").ints();
        int tokens = result.get("ids").ints().length;
        assertEquals(tokens, Arrays.stream(steps).sum());
        assertEquals(tokens, stats.get("tokens").integer());
        assertEquals(steps.length, stats.get("steps").integer());
        int emitted = stats.get("emitted_tokens").integer();
        assertTrue(emitted >= tokens);
        assertEquals(
                emitted, Arrays.stream(stats.get("accepted_by_depth").ints()).sum());
        assertEquals(
                (double) emitted / steps.length, stats.get("acceptance_length").number(), 1e-9);
        assertTrue(stats.get("tree_nodes_verified").integer() >= steps.length);
        for (String positive : List.of("prefill_ms", "decode_ms", "decode_tokens_per_second")) {
            assertTrue(stats.get(positive).number() > 0, positive);
        }
        for (String time : List.of("draft_ms", "verify_ms", "accept_ms")) {
            assertTrue(stats.get(time).number() >= 0, time);
        }
        assertTrue(stats.get("threads").integer() >= 1);
        assertFalse(stats.get("isa").text().isEmpty());
    }

    @ParameterizedTest
    @CsvSource({
        "heads, default, hydra++",
        "heads, dynamic:9, hydra++",
        "lookup, dynamic:9, lookup",
        "lookup, chain:3, lookup",
        "heads+lookup, dynamic:9, hydra++ and lookup",
        "auto, dynamic:9, hydra++ and lookup",
        "auto, chain:2, hydra++"
    })
    void whateverGuessesWritesWhatPlainDecodingDoes(String draft, String tree, String drafter) throws IOException {
        Path beside = Files.writeString(folder.resolve("beside.txt"), "public class Example { public class Example {");
        List<Object> line = List.of(
                "generate",
                "--model",
                texts,
                "--heads",
                Original.heads("hydra-plus-plus"),
                "--max-tokens",
                60,
                "--ignore-eos",
                "--threads",
                1,
                "--json",
                PROMPT);
        List<Object> guessing = new ArrayList<>(line);
        guessing.addAll(List.of("--speculation", "on", "--draft", draft, "--tree", tree));
        if (!draft.equals("heads")) {
            guessing.addAll(List.of("--draft-text", beside));
        }
        List<Object> plain = new ArrayList<>(line);
        plain.addAll(List.of("--speculation", "off"));
        Json expected = CommandLines.run(plain.toArray()).json().get(0);
        Outcome outcome = CommandLines.run(guessing.toArray());
        assertEquals(Main.OK, outcome.code(), outcome.err());
        Json found = outcome.json().get(0);
        assertConsistent(found);
        assertEquals(expected.get("text").text(), found.get("text").text());
        assertEquals(drafter, found.get("stats").get("drafter").text());
        assertEquals(draft, found.get("stats").get("draft").text());
    }

    @Test
    void headsThatAreNotThereCannotGuess() {
        Outcome outcome = CommandLines.run("generate", "--model", texts, "--draft", "heads", PROMPT);
        assertEquals(Main.USAGE, outcome.code());
        assertTrue(outcome.err().contains("--draft heads without draft heads: give --heads"), outcome.err());
    }

    @ParameterizedTest
    @CsvSource({"hydra-ungrounded, medusa", "hydra, hydra", "hydra-plus-plus, hydra++"})
    void severalPromptsOfIdsGiveTheIdsAndStepsOfTheOriginal(String heads, String drafter) throws IOException {
        List<Json> cases =
                Original.golden("golden-" + heads).get("cases").list().subList(0, 2);
        Path prompts =
                idsFile(cases.stream().map(it -> it.get("prompt_ids").ints()).toList());

        Outcome outcome = CommandLines.run(
                "generate",
                "--model",
                Original.base(),
                "--heads",
                Original.heads(heads),
                "--prompt-ids",
                prompts,
                "--json",
                "--speculation",
                "on",
                "--tree",
                "default",
                "--max-tokens",
                40,
                "--ignore-eos",
                "--threads",
                1);

        assertEquals(Main.OK, outcome.code(), outcome.err());
        List<Json> results = outcome.json();
        assertEquals(cases.size(), results.size());
        for (int i = 0; i < results.size(); i++) {
            Json result = results.get(i);
            assertConsistent(result);
            assertEquals(
                    cases.get(i).get("greedy_ids").integers().subList(0, 40),
                    result.get("ids").integers());
            assertEquals("length", result.get("finish_reason").text());
            assertEquals("", result.get("text").text());
            assertEquals("on", result.get("stats").get("speculation").text());
            assertEquals(drafter, result.get("stats").get("drafter").text());
            assertEquals("exact", result.get("stats").get("accept").get("judge").text());
            assertFalse(result.get("stats").get("accept").has("epsilon"));
            assertFalse(result.get("stats").has("rho"), "no plain step was timed");
            assertEquals(1, result.get("stats").get("threads").integer());
            List<Integer> golden =
                    cases.get(i).get("default").get("tokens_per_step").integers();
            List<Integer> steps = result.get("tokens_per_step").integers();
            assertEquals(golden.subList(0, steps.size() - 1), steps.subList(0, steps.size() - 1));
        }
    }

    @Test
    void typicalAcceptanceEmitsWhatTheOriginalDoesAndIsNamedInTheResult() throws IOException {
        List<Json> cases = Original.golden("golden-hydra-plus-plus-typical").get("cases").list().stream()
                .filter(each -> each.get("tree").text().equals("default"))
                .limit(3)
                .toList();
        Path prompts = idsFile(
                cases.stream().map(each -> each.get("prompt_ids").ints()).toList());

        Outcome outcome = CommandLines.run(
                "generate",
                "--model",
                Original.base(),
                "--heads",
                Original.heads("hydra-plus-plus"),
                "--prompt-ids",
                prompts,
                "--json",
                "--speculation",
                "on",
                "--accept",
                "typical",
                "--max-tokens",
                40,
                "--ignore-eos");

        assertEquals(Main.OK, outcome.code(), outcome.err());
        for (int i = 0; i < cases.size(); i++) {
            Json result = outcome.json().get(i);
            assertConsistent(result);
            assertEquals(
                    cases.get(i).get("generated_ids").integers().subList(0, 40),
                    result.get("ids").integers());
            Json accept = result.get("stats").get("accept");
            assertEquals("typical", accept.get("judge").text());
            assertEquals(0.7, accept.get("temperature").number());
            assertEquals(0.09, accept.get("epsilon").number());
            assertEquals(0.3, accept.get("alpha").number());
        }
    }

    @Test
    void theTemperatureIsThatOfTypicalAcceptanceAndNothingIsDrawn() throws IOException {
        Outcome outcome = CommandLines.run(
                "generate",
                "--model",
                texts,
                "--json",
                "--max-tokens",
                3,
                "--accept",
                "typical:0.25",
                "--temperature",
                "0.5",
                PROMPT);

        assertEquals(Main.OK, outcome.code(), outcome.err());
        Json stats = outcome.json().get(0).get("stats");
        assertEquals(0.5, stats.get("accept").get("temperature").number());
        assertEquals(0.25, stats.get("accept").get("epsilon").number());
        assertEquals(0.5, stats.get("accept").get("alpha").number());
        assertEquals(0, stats.get("sampling").get("temperature").number());
    }

    @Test
    void aModelWithoutTokenizerWritesIds() throws IOException {
        Path prompts = idsFile(List.of(new int[] {256, 'a'}, new int[] {256, 'b'}));

        Outcome outcome =
                CommandLines.run("generate", "--model", Original.base(), "--prompt-ids", prompts, "--max-tokens", 3);

        assertEquals(Main.OK, outcome.code(), outcome.err());
        assertEquals(2, outcome.json().size());
        outcome.json().forEach(ids -> assertEquals(3, ids.ints().length));
    }

    @Test
    void theDefaultTreeWithoutHeadsIsTheLookups() {
        Outcome outcome = CommandLines.run(
                "generate",
                "--model",
                texts,
                "--speculation",
                "on",
                "--tree",
                "default",
                "--max-tokens",
                200,
                "--ignore-eos",
                "--json",
                PROMPT);

        assertEquals(Main.OK, outcome.code(), outcome.err());
        assertEquals("lookup", outcome.json().get(0).get("stats").get("drafter").text());
    }

    @Test
    void aCalibrationThatWasSavedCanBeGivenAndTheTextStays() {
        Path file = folder.resolve("calibration.json");
        List<Object> command = List.of("generate", "--model", texts, "--max-tokens", 40, "--ignore-eos", "--json");
        List<Object> saving = new ArrayList<>(command);
        saving.addAll(List.of("--save-calibration", file, PROMPT));
        List<Object> using = new ArrayList<>(command);
        using.addAll(List.of("--calibration", file, PROMPT));

        Outcome saved = CommandLines.run(saving.toArray());
        Outcome used = CommandLines.run(using.toArray());

        assertEquals(Main.OK, saved.code(), saved.err());
        assertEquals(Main.OK, used.code(), used.err());
        assertEquals("", used.err());
        assertArrayEquals(
                saved.json().get(0).get("ids").ints(),
                used.json().get(0).get("ids").ints());
        assertTrue(Calibration.load(file).plainStepNanos() > 0);
    }

    @Test
    void textFromEverySourceIsContinuedAlike() throws IOException {
        Path file = Files.writeString(folder.resolve("prompt.txt"), PROMPT);
        List<Outcome> outcomes = new ArrayList<>();
        outcomes.add(CommandLines.run("generate", "--model", texts, "--max-tokens", 20, PROMPT));
        outcomes.add(CommandLines.run("generate", "--model", texts, "--max-tokens", 20, "--prompt-file", file));
        outcomes.add(CommandLines.runWith(PROMPT, "generate", "--model", texts, "--max-tokens", 20));
        outcomes.add(CommandLines.runWith(PROMPT, "generate", "--model", texts, "--max-tokens", 20, "-"));
        outcomes.add(
                CommandLines.runWith(PROMPT, "generate", "--model", texts, "--max-tokens", 20, "--prompt-file", "-"));

        for (Outcome outcome : outcomes) {
            assertEquals(Main.OK, outcome.code(), outcome.err());
            assertEquals(outcomes.get(0).out(), outcome.out());
            assertEquals("", outcome.err());
        }
        assertFalse(outcomes.get(0).out().isEmpty());
    }

    @Test
    void plainTextIsTheTextOfTheJson() {
        Outcome plain = CommandLines.run("generate", "--model", texts, "--max-tokens", 30, PROMPT);
        Json json = CommandLines.run(
                        "generate", "--model", texts, "--speculation", "off", "--max-tokens", 30, "--json", PROMPT)
                .json()
                .get(0);

        assertConsistent(json);
        assertEquals(PROMPT.length(), json.get("stats").get("prompt_tokens").integer());
        assertEquals("off", json.get("stats").get("speculation").text());
        assertEquals(1, json.get("stats").get("rho").number(), 1e-9, "all steps were plain");
        assertTrue(json.get("stats").get("plain_step_ms").number() > 0);
        String text = json.get("text").text();
        assertEquals(text.endsWith("\n") ? text : text + "\n", plain.out());
    }

    @Test
    void stopStringsEndTheTextBeforeThem() {
        String text = CommandLines.run("generate", "--model", texts, "--max-tokens", 30, PROMPT)
                .out();
        String stop = text.substring(10, 12);

        Json result = CommandLines.run(
                        "generate",
                        "--model",
                        texts,
                        "--max-tokens",
                        30,
                        "--json",
                        "--stop",
                        "\0",
                        "--stop",
                        stop,
                        PROMPT)
                .json()
                .get(0);

        assertEquals(text.substring(0, text.indexOf(stop)), result.get("text").text());
        assertEquals("stop", result.get("finish_reason").text());
    }

    @Test
    void anEndTokenEndsTheTextUnlessItIsIgnored() throws IOException {
        int end = CommandLines.run("generate", "--model", texts, "--max-tokens", 30, "--json", PROMPT)
                .json()
                .get(0)
                .get("ids")
                .ints()[5];
        Path ending = Original.withTokenizer(
                Original.variant(Files.createDirectory(folder.resolve("ending")), List.of(end), 512));

        Json ended = CommandLines.run("generate", "--model", ending, "--max-tokens", 30, "--json", PROMPT)
                .json()
                .get(0);
        Json ignored = CommandLines.run(
                        "generate", "--model", ending, "--max-tokens", 30, "--json", "--ignore-eos", PROMPT)
                .json()
                .get(0);

        assertEquals("eos", ended.get("finish_reason").text());
        int[] ids = ended.get("ids").ints();
        assertEquals(end, ids[ids.length - 1]);
        assertEquals(30, ignored.get("ids").ints().length);
    }

    @Test
    void theBeginTokenIsPutInFrontWhereItIsAskedFor() {
        Json with = CommandLines.run("generate", "--model", texts, "--max-tokens", 1, "--json", "--bos", PROMPT)
                .json()
                .get(0);
        Json written = CommandLines.run(
                        "generate", "--model", texts, "--max-tokens", 1, "--json", "--bos", "<file>" + PROMPT)
                .json()
                .get(0);
        Json without = CommandLines.run("generate", "--model", texts, "--max-tokens", 1, "--json", "--no-bos", PROMPT)
                .json()
                .get(0);

        assertEquals(PROMPT.length() + 1, with.get("stats").get("prompt_tokens").integer());
        assertEquals(
                PROMPT.length() + 1, written.get("stats").get("prompt_tokens").integer());
        assertEquals(PROMPT.length(), without.get("stats").get("prompt_tokens").integer());
    }

    @Test
    void aTerminalGetsShadesAndASummary() {
        String plain = CommandLines.run("generate", "--model", texts, "--max-tokens", 30, PROMPT)
                .out();

        Outcome shaded = CommandLines.runOnTerminal(
                "generate", "--model", texts, "--speculation", "off", "--max-tokens", 30, PROMPT);
        Outcome colourless =
                CommandLines.runOnTerminal("generate", "--model", texts, "--max-tokens", 30, "--no-color", PROMPT);

        assertTrue(shaded.out().contains("\033[38;5;255;48;5;236m"), shaded.out());
        assertEquals(
                Printable.text(plain),
                shaded.out()
                        .replaceAll("\033\\[[0-9;]*m", "")
                        .substring(0, Printable.text(plain).length()));
        assertFalse(colourless.out().contains("\033"), colourless.out());
        assertTrue(shaded.err().matches("hydra4j: 30 tokens \\(length\\), \\d+ tokens/s, 1.00 tokens a step, plain\n"));
    }

    @Test
    void theDefaultModelIsFoundWhereThePropertySays() {
        Path models = TestData.shared("models/javalm-19m");
        String before = System.setProperty(DefaultModel.PROPERTY, models.toString());
        try {
            Outcome outcome = CommandLines.run("generate", "--speculation", "off", "--max-tokens", 8, "--json", PROMPT);

            assertEquals(Main.OK, outcome.code(), outcome.err());
            Json result = outcome.json().get(0);
            assertEquals(4, result.get("stats").get("prompt_tokens").integer(), "the begin token and three others");
            assertEquals(8, result.get("ids").ints().length);
        } finally {
            restore(before);
        }
    }

    private static void restore(String before) {
        if (before == null) {
            System.clearProperty(DefaultModel.PROPERTY);
        } else {
            System.setProperty(DefaultModel.PROPERTY, before);
        }
    }

    @Test
    void aMissingDefaultModelIsToldWithTheRemedy() {
        String before = System.setProperty(DefaultModel.PROPERTY, folder.toString());
        try {
            Outcome outcome = CommandLines.run("generate", PROMPT);

            assertEquals(Main.FAILURE, outcome.code());
            assertTrue(outcome.err().contains("name a model with --model"), outcome.err());
        } finally {
            restore(before);
        }
    }
}
