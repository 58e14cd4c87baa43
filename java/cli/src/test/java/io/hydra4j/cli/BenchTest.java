package io.hydra4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.cli.CommandLines.Outcome;
import io.hydra4j.golden.Json;
import io.hydra4j.golden.Original;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class BenchTest {
    @TempDir
    static Path folder;

    private static Path model;
    private static Path prompts;

    @BeforeAll
    static void makeModelAndPrompts() throws IOException {
        model = Original.withTokenizer(
                Original.variant(Files.createDirectory(folder.resolve("base")), List.of(257), 512));
        prompts = Files.writeString(
                folder.resolve("prompts.jsonl"),
                "{\"text\": \"public class \"}\n\n[105, 110, 116, 32]\n{\"name\": 1, \"text\": \"import java.\"}\n");
    }

    private static Outcome bench(Object... more) {
        List<Object> args = new ArrayList<>(List.of(
                "bench",
                "--model",
                model,
                "--heads",
                Original.heads("hydra-plus-plus"),
                "--threads",
                1,
                "--tokens",
                24,
                "--ignore-eos"));
        args.addAll(Arrays.asList(more));
        return CommandLines.run(args.toArray());
    }

    @Test
    void everyWayIsATableRowAJsonObjectAndInThePlotsOfOnePage() throws IOException {
        Path tree = Files.writeString(folder.resolve("t<.json"), "[[0],[1],[0,0]]");
        Path json = folder.resolve("bench.json");
        Path html = folder.resolve("bench.html");
        Path plot = folder.resolve("bench.png");
        List<String> ways = List.of(
                "plain",
                "default",
                "chain:2",
                "nodes:6",
                tree.toString(),
                "auto",
                "heads",
                "heads+lookup",
                "lookup",
                "dynamic:6",
                "heads:dynamic:6",
                "typical:0.3");

        Outcome outcome = bench(
                "--prompts",
                prompts,
                "--runs",
                2,
                "--ways",
                ways.stream().skip(1).collect(Collectors.joining(",")),
                "--json",
                json,
                "--html",
                html,
                "--plot",
                plot);

        assertEquals(Main.OK, outcome.code(), outcome.err());
        assertTrue(
                outcome.out().contains("3 prompts (prompts.jsonl), up to 24 tokens after each, greedy, 2 runs"),
                outcome.out());
        for (String way : ways.subList(0, 4)) {
            assertEquals(
                    2,
                    outcome.out()
                            .lines()
                            .filter(line -> line.matches(way + "( .*)?"))
                            .count(),
                    outcome.out());
        }
        Json report = Json.read(json);
        assertEquals(3, report.get("prompts").integer());
        assertEquals("4 hydra++", report.get("model").get("heads").text());
        assertEquals("1", report.get("machine").get("threads").text());
        assertEquals(
                ways,
                report.get("ways").list().stream()
                        .map(way -> way.get("name").text())
                        .toList());
        for (Json way : report.get("ways").list()) {
            assertConsistent(way);
        }
        assertFalse(report.get("ways").at(0).has("ratio_to_plain"));
        assertEquals(1.0, report.get("ways").at(0).get("acceptance_length").number());
        assertTrue(report.get("ways").at(1).get("acceptance_length").number() > 1);
        assertEquals(4, report.get("ways").at(4).get("nodes_per_step").number(), 0.5);
        assertPageNeedsNoNetwork(Files.readString(html));
        assertEquals(ChartStyle.WIDTH, ImageIO.read(plot.toFile()).getWidth());
    }

    private static void assertConsistent(Json way) {
        String name = way.get("name").text();
        boolean isExact = !name.startsWith("typical");
        assertTrue(!isExact || way.get("outputs_that_differ_from_plain").integer() == 0, name);
        double[] depths = way.get("accepted_by_depth").numbers();
        assertEquals(1.0, depths[0], name);
        assertEquals(Arrays.stream(depths).sum(), way.get("acceptance_length").number(), 1e-9, name);
        assertTrue(way.get("tokens_per_second").number() > 0 && way.get("rho").number() > 0, name);
        assertTrue(way.get("verify_us").number() > 0 && way.get("prefill_ms").number() > 0, name);
        assertEquals(6, way.get("samples").list().size(), name);
        if (way.has("ratio_to_plain")) {
            double[] interval = way.get("ratio_to_plain_interval").numbers();
            double ratio = way.get("ratio_to_plain").number();
            assertTrue(interval[0] <= ratio && ratio <= interval[1], name);
        }
    }

    private static void assertPageNeedsNoNetwork(String html) {
        assertEquals(5, Pattern.compile("<svg ").matcher(html).results().count());
        assertFalse(Pattern.compile("<(script|link|img|iframe|object)|@import|src=|href=\"[^#]|url\\([^#]")
                .matcher(html)
                .find());
        assertEquals(1, Pattern.compile("<!DOCTYPE").matcher(html).results().count());
        List<String> ids = Pattern.compile(" id=\"([^\"]*)\"")
                .matcher(html)
                .results()
                .map(match -> match.group(1))
                .toList();
        assertTrue(ids.size() >= 5);
        assertEquals(ids.size(), ids.stream().distinct().count(), "names of one plot are not another's");
        Pattern.compile("url\\(#([^)]*)\\)")
                .matcher(html)
                .results()
                .forEach(match -> assertTrue(ids.contains(match.group(1)), match.group(1)));
        assertTrue(html.contains("t&lt;.json") && !html.contains("t<.json"), "names are text and no markup");
    }

    @Test
    void aModelWithoutHeadsLooksUpAndOnePromptHasNoInterval() throws IOException {
        Path prompt = Files.writeString(folder.resolve("prompt.txt"), "for (int i = 0; i < n; i++) {\n for (int i");
        Path json = folder.resolve("one.json");

        Outcome outcome = CommandLines.run(
                "bench",
                "--model",
                model,
                "--threads",
                1,
                "--prompts",
                prompt,
                "--tokens",
                24,
                "--ignore-eos",
                "--json",
                json);

        assertEquals(Main.OK, outcome.code(), outcome.err());
        Json ways = Json.read(json).get("ways");
        assertEquals(3, ways.list().size());
        assertEquals("lookup", ways.at(2).get("name").text());
        assertFalse(ways.at(2).has("ratio_to_plain_interval"));
        assertTrue(outcome.out().contains("one prompt"), outcome.out());
    }

    @Test
    void sampledTextsAreTheSameInAllWaysToo() throws IOException {
        Path json = folder.resolve("sampled.json");

        Outcome outcome = bench(
                "--prompts",
                prompts,
                "--ways",
                "auto,chain:3,lookup,heads:dynamic:5",
                "--runs",
                1,
                "--temperature",
                0.8,
                "--seed",
                5,
                "--json",
                json);

        assertEquals(Main.OK, outcome.code(), outcome.err());
        assertTrue(outcome.out().contains("temperature 0.8, seed 5, 1 run"), outcome.out());
        Json report = Json.read(json);
        assertEquals(5, report.get("seed").integer());
        for (Json way : report.get("ways").list()) {
            assertEquals(0, way.get("outputs_that_differ_from_plain").integer());
        }
    }

    @Test
    void promptsComeWithTheCommand() {
        Outcome outcome = bench("--ways", "chain:1", "--runs", 1);

        assertEquals(Main.OK, outcome.code(), outcome.err());
        assertTrue(outcome.out().contains("16 prompts (built-in"), outcome.out());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{\"txt\": \"a\"} | line 1: found an object without a text, expected an object with the field",
                "7                | line 1: found 7, expected an object with the field",
                "[1, 2            | line 1: found ",
                "[1, -2]          | line 1: found -2 at index 1, expected an array of token ids",
                "[1, 260]         | prompt 0: found id 260, expected token ids from 0 to 259",
                "''               | has no prompts"
            })
    void promptsThatAreNoneAreOneLine(String line, String message) throws IOException {
        Path file = Files.writeString(folder.resolve("damaged.jsonl"), line);

        Outcome outcome = bench("--prompts", file);

        assertEquals(Main.FAILURE, outcome.code());
        assertEquals("", outcome.out());
        assertEquals(1, outcome.err().lines().count(), outcome.err());
        assertTrue(outcome.err().contains("damaged.jsonl: " + message), outcome.err());
    }

    @Test
    void whatCannotBeComparedIsOneLine() throws IOException {
        assertFails("no-tree.json: no such file", "--ways", folder.resolve("no-tree.json"));
        assertFails("fill dynamic trees alone", "--prompts", prompts, "--ways", "heads+lookup:chain:2");
        assertFails("no-prompts.jsonl: no such file", "--prompts", folder.resolve("no-prompts.jsonl"));
        assertFails("the tree is 9 deep", "--prompts", prompts, "--ways", "chain:9");
        assertFails("cannot be written", "--json", folder.resolve("none/bench.json"));
        assertFails("cannot be written", "--html", folder);
        assertFails("cannot be written", "--plot", folder.resolve("none/bench.svg"));
        Path ended = Files.writeString(folder.resolve("long.jsonl"), "{\"text\": \"" + "x".repeat(510) + "\"}");
        assertFails("no prompt was continued by 8 tokens or more", "--prompts", ended);
    }

    private static void assertFails(String message, Object... args) {
        Outcome outcome = bench(args);
        assertEquals(Main.FAILURE, outcome.code(), outcome.err());
        assertEquals("", outcome.out());
        assertEquals(1, outcome.err().lines().count(), outcome.err());
        assertTrue(outcome.err().contains(message), outcome.err());
    }
}
