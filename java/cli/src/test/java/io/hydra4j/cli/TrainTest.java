package io.hydra4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.cli.CommandLines.Outcome;
import io.hydra4j.golden.Original;
import io.hydra4j.golden.TestData;
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

class TrainTest {
    @TempDir
    static Path folder;

    private static Path model;
    private static Path data;

    @BeforeAll
    static void makeModelAndData() throws IOException {
        model = Original.withTokenizer(
                Original.variant(Files.createDirectory(folder.resolve("base")), List.of(257), 256));
        data = folder.resolve("data.jsonl");
        StringBuilder lines = new StringBuilder();
        for (String prompt : TestData.heldOutPrompts().subList(0, 40)) {
            lines.append(Json.line(false, out -> {
                        out.writeStartObject();
                        out.writeStringField("text", prompt);
                        out.writeEndObject();
                    }))
                    .append('\n');
        }
        Files.writeString(data, lines);
    }

    private static Outcome train(Path output, Object... more) {
        List<Object> args = new ArrayList<>(List.of("train", "--model", model, "--data", data, "--output", output));
        args.addAll(Arrays.asList(more));
        List<Object> small = List.of("--threads", 1, "--sequence-length", 64, "--held-out-tokens", 128, "--nodes", 4);
        for (int i = 0; i < small.size(); i += 2) {
            if (!args.contains(small.get(i))) {
                args.addAll(small.subList(i, i + 2));
            }
        }
        return CommandLines.run(args.toArray());
    }

    @Test
    void headsAreTrainedResumedDrawnAndUsed() throws IOException {
        Path output = folder.resolve("heads");
        Path plot = folder.resolve("training.png");

        Path early = output.resolve("training.svg");
        Outcome first = train(output, "--recipe", "hydra", "--heads", 2, "--tokens", 1500, "--plot", early);
        Outcome second = train(output, "--recipe", "hydra", "--heads", 2, "--tokens", 3000, "--resume", "--plot", plot);

        assertEquals(Main.OK, first.code(), first.err());
        assertEquals(Main.OK, second.code(), second.err());
        assertTrue(Files.exists(early));
        assertTrue(first.out().startsWith("0 tokens: tokens a step: chain "), first.out());
        assertTrue(second.out().contains(output + ": "), second.out());
        assertTrue(second.out().contains(output.resolve("tree.json") + ": "), second.out());
        Outcome third = train(output, "--recipe", "hydra", "--heads", 2, "--tokens", 3000, "--resume", "--nodes", 0);
        assertTrue(third.out().contains(" tokens, ") && !third.out().contains("NaN"), third.out());
        var image = ImageIO.read(plot.toFile());
        assertEquals(ChartStyle.WIDTH, image.getWidth());
        assertTrue(Arrays.stream(image.getRGB(0, 0, image.getWidth(), image.getHeight(), null, 0, image.getWidth()))
                        .distinct()
                        .count()
                > 10);
        Outcome generated = CommandLines.run(
                "generate",
                "--model",
                model,
                "--heads",
                output,
                "--tree",
                output.resolve("tree.json"),
                "--threads",
                1,
                "--max-tokens",
                20,
                "--json",
                "public class ");
        assertEquals(Main.OK, generated.code(), generated.err());
    }

    @Test
    void aModelWritesTheTextThatItsHeadsLearnFrom() throws IOException {
        Path output = folder.resolve("distilled");
        Object[] options = {
            "train",
            "--model",
            model,
            "--output",
            output,
            "--self-distill",
            "--distill-tokens",
            1500,
            "--tokens",
            1500,
            "--recipe",
            "medusa",
            "--threads",
            1,
            "--sequence-length",
            64,
            "--held-out-tokens",
            128,
            "--nodes",
            0
        };
        Outcome outcome = CommandLines.run(options);
        assertEquals(Main.OK, outcome.code(), outcome.err());
        assertTrue(Files.readString(output.resolve("self-distilled.jsonl")).startsWith("{\"number\":"));
    }

    @Test
    void optionsThatMakeNoSenseAreWrongUsageAndLeaveNoFolder() {
        Path output = folder.resolve("none");
        assertUsage("--tokens and --minutes exclude each other", output, "--tokens", 5, "--minutes", 1);
        assertUsage("--minutes is 0.0, must be above 0", output, "--minutes", 0);
        assertUsage("must be one of medusa, hydra, hydra++", output, "--recipe", "eagle");
        assertUsage("must be one of base, private", output, "--lm-head", "own");
        assertUsage("heads is 0: give 1 to 63", output, "--heads", 0);
        assertUsage("blocks is 65: give 1 to 64", output, "--blocks", 65);
        assertUsage("--prefix-layer is for Hydra heads", output, "--recipe", "medusa", "--prefix-layer");
        assertUsage("2 head weights for 4 heads", output, "--head-weights", "1,0.5");
        assertUsage("'one' is not a double", output, "--head-weights", "1,one");
        assertUsage("nothing would be learned", output, "--data-weight", 0, "--teacher-weight", 0);
        assertUsage("dropout is 1.0: give 0 to 0.9", output, "--dropout", 1);
        assertUsage("embeddingNoise is -1.0", output, "--noise", -1);
        assertUsage("learningRate is 0.0", output, "--learning-rate", 0);
        assertUsage("beta2 is 1.0", output, "--beta2", 1);
        assertUsage("floor is 2.0", output, "--floor", 2);
        assertUsage("warmUpSteps is -1", output, "--warm-up", -1);
        assertUsage("clip is -1.0", output, "--clip", -1);
        assertUsage("batch is 0", output, "--batch", 0);
        assertUsage("accumulation is 0", output, "--accumulation", 0);
        assertUsage("draftVocabulary is 5", output, "--draft-vocabulary", 5);
        assertUsage("treeNodes is 1: give 2 to 64", output, "--nodes", 1);
        assertUsage("is no plot", output, "--plot", folder.resolve("plot.gif"));
        assertUsage("for --self-distill", output, "--temperature", 1);
        assertUsage("--temperature is -1.0", output, "--self-distill", "--temperature", -1);
        assertUsage("--distill-tokens is 0", output, "--self-distill", "--distill-tokens", 0);
        assertFalse(Files.exists(output));
    }

    private static void assertUsage(String message, Path output, Object... more) {
        Outcome outcome = train(output, more);
        assertEquals(Main.USAGE, outcome.code(), outcome.err());
        assertTrue(outcome.err().contains(message), outcome.err());
        assertTrue(outcome.err().contains("see 'hydra4j train --help'"), outcome.err());
        assertEquals(1, outcome.err().lines().count(), outcome.err());
    }

    @Test
    void whatCannotBeTrainedIsOneLine() throws IOException {
        Path output = folder.resolve("refused");
        assertFails("there is none to resume", output, "--resume");
        assertFails("cannot be made", folder.resolve("no/heads"));
        assertFails("longer than the context", output, "--sequence-length", 257);
        Path other = Files.writeString(folder.resolve("other.jsonl"), "{\"prompt\": 1}");
        assertFails("other.jsonl: line 1: it has none of the fields", output, "--held-out", other);
        assertFails("distilled: cannot be made", folder.resolve("no/distilled"), "--self-distill");
        Outcome noModel = CommandLines.run(
                "train", "--model", folder.resolve("no.gguf"), "--output", output, "--self-distill", "--nodes", 0);
        assertEquals(Main.FAILURE, noModel.code(), noModel.err());
        assertFalse(Files.exists(output), "a folder of nothing is left");
    }

    private static void assertFails(String message, Path output, Object... more) {
        Outcome outcome = train(output, more);
        assertEquals(Main.FAILURE, outcome.code(), outcome.err());
        assertTrue(outcome.err().contains(message), outcome.err());
        assertEquals(1, outcome.err().lines().count(), outcome.err());
    }
}
