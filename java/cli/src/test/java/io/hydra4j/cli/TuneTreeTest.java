package io.hydra4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.TunedTree;
import io.hydra4j.cli.CommandLines.Outcome;
import io.hydra4j.golden.Original;
import io.hydra4j.golden.TestData;
import java.awt.Color;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TuneTreeTest {
    @TempDir
    static Path folder;

    private static Path model;
    private static Path text;

    @BeforeAll
    static void makeModelAndText() throws IOException {
        model = Original.withTokenizer(
                Original.variant(Files.createDirectory(folder.resolve("base")), List.of(257), 1024));
        text = Files.writeString(
                folder.resolve("text.txt"),
                String.join("\n", TestData.heldOutPrompts().subList(0, 20)));
    }

    private static Outcome tune(Path output, Object... more) {
        List<Object> args = new ArrayList<>(List.of(
                "tune-tree",
                "--model",
                model,
                "--heads",
                Original.heads("hydra-plus-plus"),
                "--text",
                text,
                "--output",
                output,
                "--threads",
                1,
                "--tokens",
                600,
                "--max-tokens",
                60));
        args.addAll(Arrays.asList(more));
        return CommandLines.run(args.toArray());
    }

    private static Outcome generate(Path tree) {
        return CommandLines.run(
                "generate",
                "--model",
                model,
                "--heads",
                Original.heads("hydra-plus-plus"),
                "--tree",
                tree,
                "--json",
                "--threads",
                1,
                "--max-tokens",
                30,
                "public class ");
    }

    @Test
    void theFileIsATreeForOtherCommandsAndThePlotIsAPicture() throws IOException {
        Path output = folder.resolve("tree.json");
        Path plot = folder.resolve("tree.png");

        Outcome outcome = tune(output, "--nodes", 6, "--max-nodes", 10, "--plot", plot);

        assertEquals(Main.OK, outcome.code(), outcome.err());
        TunedTree tuned = TunedTree.load(output);
        assertEquals(6, tuned.tree().nodes());
        assertEquals(10, tuned.measured().get(tuned.measured().size() - 1).nodes());
        assertTrue(outcome.out().startsWith(output + ": 6 nodes, "), outcome.out());
        assertEquals(
                1,
                outcome.out().lines().filter(line -> line.endsWith("  chosen")).count(),
                outcome.out());
        var image = ImageIO.read(plot.toFile());
        assertEquals(ChartStyle.WIDTH, image.getWidth());
        assertTrue(Arrays.stream(image.getRGB(0, 0, image.getWidth(), image.getHeight(), null, 0, image.getWidth()))
                        .distinct()
                        .count()
                > 10);
        Outcome generated = generate(output);
        assertEquals(Main.OK, generated.code(), generated.err());
        var stats = generated.json().get(0).get("stats");
        assertTrue(
                stats.get("tree_nodes_verified").integer() > stats.get("steps").integer());
    }

    @Test
    void aPlotCanBeAnSvgWithEveryLine() throws IOException {
        Path plot = folder.resolve("tree.SVG");

        Outcome outcome = tune(folder.resolve("auto.json"), "--max-nodes", 4, "--plot", plot);

        assertEquals(Main.OK, outcome.code(), outcome.err());
        String svg = Files.readString(plot);
        assertTrue(svg.contains("<svg ") && svg.trim().endsWith("</svg>"));
        for (int series = 0; series < 3; series++) {
            Color colour = ChartStyle.colour(series);
            String stroke = "stroke:rgb(" + colour.getRed() + "," + colour.getGreen() + "," + colour.getBlue() + ")";
            assertTrue(svg.contains(stroke), stroke);
        }
    }

    @Test
    void linesOfJsonAreDocuments() throws IOException {
        Path lines = folder.resolve("text.jsonl");
        List<String> prompts = TestData.heldOutPrompts().subList(0, 20);
        StringBuilder json = new StringBuilder();
        prompts.forEach(prompt -> json.append(Json.line(false, out -> {
                    out.writeStartObject();
                    out.writeStringField("text", prompt);
                    out.writeEndObject();
                }))
                .append('\n'));
        Files.writeString(lines, json);

        Outcome outcome = CommandLines.run(
                "tune-tree",
                "--model",
                model,
                "--heads",
                Original.heads("hydra"),
                "--text",
                lines,
                "--output",
                folder.resolve("lines.json"),
                "--tokens",
                300,
                "--threads",
                1);

        assertEquals(Main.OK, outcome.code(), outcome.err());
    }

    @Test
    void whatCannotBeTunedIsOneLineAndLeavesNoFile() throws IOException {
        Path output = folder.resolve("none.json");
        Path empty = Files.writeString(folder.resolve("empty.txt"), "");
        Path damaged = Files.writeString(folder.resolve("damaged.jsonl"), "{\"text\": 1}");
        Object heads = Original.heads("hydra");
        assertFails(
                "no-such.txt: no such file",
                "--heads",
                heads,
                "--text",
                folder.resolve("no-such.txt"),
                "--output",
                output);
        assertFails("empty.txt: has no text", "--heads", heads, "--text", empty, "--output", output);
        assertFails("text: found 1, expected a text", "--heads", heads, "--text", damaged, "--output", output);
        assertFails("without draft heads", "--text", text, "--output", output);
        assertFails("cannot be written", "--heads", heads, "--text", text, "--output", folder.resolve("no/tree.json"));
        assertFails("cannot be written", "--heads", heads, "--text", text, "--output", folder);
        assertFails(
                "cannot be written",
                "--heads",
                heads,
                "--text",
                text,
                "--output",
                output,
                "--plot",
                folder.resolve("no/plot.png"));
        assertFalse(Files.exists(output));
    }

    private static void assertFails(String message, Object... args) {
        List<Object> all = new ArrayList<>(List.of("tune-tree", "--model", model, "--threads", 1));
        all.addAll(Arrays.asList(args));
        Outcome outcome = CommandLines.run(all.toArray());
        assertEquals(Main.FAILURE, outcome.code(), outcome.err());
        assertEquals("", outcome.out());
        assertEquals(1, outcome.err().lines().count(), outcome.err());
        assertTrue(outcome.err().contains(message), outcome.err());
    }

    @Test
    void aTreeThatIsTooDeepForTheHeadsIsOneLine() throws IOException {
        Path tree = Files.writeString(folder.resolve("deep.json"), "[[0],[0,0],[0,0,0],[0,0,0,0],[0,0,0,0,0]]");

        Outcome outcome = generate(tree);

        assertEquals(Main.FAILURE, outcome.code());
        assertTrue(outcome.err().contains("the tree is 5 deep, the drafter fills 4 levels"), outcome.err());
    }
}
