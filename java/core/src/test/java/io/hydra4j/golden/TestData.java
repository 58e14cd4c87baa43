package io.hydra4j.golden;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.tukaani.xz.XZInputStream;

/**
 * Models and golden files: a small set that is committed with the tests, and the folder that the system property
 * {@value #PROPERTY} names.
 */
public final class TestData {
    private static final String PROPERTY = "hydra4j.shared";
    private static Path unpacked;

    private TestData() {}

    /** A file of the shared folder; the test is skipped, and says why, where there is none. */
    public static Path shared(String name) {
        String folder = System.getProperty(PROPERTY, "");
        assumeTrue(!folder.isEmpty(), "no shared data: set -D" + PROPERTY + "=FOLDER");
        Path file = Path.of(folder).resolve(name);
        assumeTrue(Files.exists(file), "no " + file);
        return file;
    }

    /** A file of the repository's folder {@code models}, or of the one that the system property hydra4j.models names. */
    public static Path embedded(String name) {
        Path file =
                Path.of(System.getProperty("hydra4j.models", "../../models")).resolve(name);
        assumeTrue(Files.exists(file), "no " + file.toAbsolutePath() + ": set -Dhydra4j.models=FOLDER");
        return file;
    }

    /** A committed file or folder, unpacked. */
    public static synchronized Path committed(String name) {
        if (unpacked == null) {
            unpacked = unpack();
        }
        return unpacked.resolve(name);
    }

    /**
     * A folder with a tiny Llama in BF16 that has biases, one KV head and sizes that are multiples of nothing, and a tokenizer; its
     * weights are written by their formula.
     */
    public static synchronized Path odd() {
        Path folder = committed("golden/formula/odd");
        Path weights = folder.resolve("model.safetensors");
        if (!Files.exists(weights)) {
            new FormulaModel("odd").writeWeights(weights);
        }
        return folder;
    }

    /** A file of the shared folder if there is one, else the committed one: what is not committed is skipped. */
    public static Path any(String name) {
        Path file = committed(name);
        return Files.exists(file) ? file : shared(name);
    }

    /** Java from code bases that no model here was trained on, 120 to 260 ASCII characters each. */
    public static List<String> heldOutPrompts() {
        return Json.read(committed("golden/held-out-prompts.json")).list().stream()
                .map(Json::text)
                .toList();
    }

    /** The whole text of a file, which may be compressed. */
    public static InputStream open(Path file) throws IOException {
        InputStream bytes = Files.newInputStream(file);
        return file.toString().endsWith(".xz") ? new XZInputStream(bytes) : bytes;
    }

    private static Path unpack() {
        try {
            Path target = Files.createTempDirectory("hydra4j-test");
            Runtime.getRuntime().addShutdownHook(new Thread(() -> delete(target)));
            URI readme = TestData.class.getResource("/golden/README.md").toURI();
            if (readme.getScheme().equals("jar")) {
                try (FileSystem jar = FileSystems.newFileSystem(readme, Map.of())) {
                    unpack(jar.getPath("/golden"), target);
                }
            } else {
                unpack(Path.of(readme).getParent(), target);
            }
            return target;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (URISyntaxException e) {
            throw new IllegalStateException(e);
        }
    }

    private static void unpack(Path source, Path target) throws IOException {
        try (Stream<Path> files = Files.walk(source)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                String name = source.getParent().relativize(file).toString().replaceAll("\\.xz$", "");
                Path copy = target.resolve(name);
                Files.createDirectories(copy.getParent());
                try (InputStream bytes = open(file)) {
                    Files.copy(bytes, copy);
                }
            }
        }
    }

    private static void delete(Path folder) {
        try (Stream<Path> files = Files.walk(folder)) {
            files.sorted(Comparator.reverseOrder()).map(Path::toFile).forEach(File::delete);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
