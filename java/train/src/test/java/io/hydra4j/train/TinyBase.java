package io.hydra4j.train;

import io.hydra4j.golden.Original;
import io.hydra4j.golden.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** A tiny base whose tokens are bytes, with a context of 256, and text to train its heads on. */
final class TinyBase {
    private TinyBase() {}

    /** @param folder an empty one */
    static Path model(Path folder) {
        return model(folder, 256);
    }

    /** The same with another context. */
    static Path model(Path folder, int context) {
        return Original.withTokenizer(Original.variant(folder, List.of(257), context));
    }

    /**
     * Leaves the base and the text for runs of the command line.
     *
     * @param args a folder, which is made: {@code base}, {@code data.jsonl}
     */
    public static void main(String[] args) throws IOException {
        Path folder = Files.createDirectories(Path.of(args[0]));
        model(Files.createDirectory(folder.resolve("base")));
        data(folder.resolve("data.jsonl"));
    }

    /** Sixty pieces of code as {@code .jsonl}. */
    static Path data(Path file) throws IOException {
        List<String> lines = TestData.heldOutPrompts().subList(0, 60).stream()
                .map(prompt -> "{\"text\": \""
                        + prompt.replace("\\", "\\\\")
                                .replace("\"", "\\\"")
                                .replace("\n", "\\n")
                                .replace("\t", "\\t")
                        + "\"}")
                .toList();
        return Files.write(file, lines);
    }
}
