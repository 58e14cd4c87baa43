package io.hydra4j.text;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.hydra4j.format.GgufFile;
import io.hydra4j.format.StrictJson;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.tukaani.xz.XZInputStream;

/** The folder of golden data and models that the system property hydra4j.shared names. */
final class Shared {
    private static final String PROPERTY = "hydra4j.shared";

    private Shared() {}

    /** @return a file of that folder; the test is skipped, and says why, where there is none */
    static Path file(String name) {
        String folder = System.getProperty(PROPERTY);
        assumeTrue(folder != null, "no golden data: set -D" + PROPERTY + "=FOLDER");
        Path file = Path.of(folder).resolve(name);
        assumeTrue(Files.exists(file), "no " + file);
        return file;
    }

    static Tokenizer gguf(Path file) {
        return Tokenizer.fromGguf(file, GgufFile.read(file).metadata());
    }

    /** Decodes ids at once; those that the tokenizer does not have stand for nothing, as in the native library. */
    static String decode(Tokenizer tokenizer, int[] ids, boolean skipSpecial) {
        TextStream stream = tokenizer.stream(skipSpecial);
        return stream.push(ids) + stream.finish();
    }

    /** @return Java files that the Java model has not seen */
    static List<String> heldOutCode() throws IOException {
        List<String> texts = new ArrayList<>();
        Path file = file("data/java-heldout.jsonl.xz");
        try (BufferedReader lines = new BufferedReader(
                new InputStreamReader(new XZInputStream(Files.newInputStream(file)), StandardCharsets.UTF_8))) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                texts.add(StrictJson.parse(file, "line", line.getBytes(StandardCharsets.UTF_8))
                        .string("text"));
            }
        }
        return texts;
    }

    static int[] ids(List<?> list) {
        return list.stream().mapToInt(id -> ((Long) id).intValue()).toArray();
    }
}
