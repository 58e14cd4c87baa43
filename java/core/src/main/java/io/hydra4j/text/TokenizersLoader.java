package io.hydra4j.text;

import ai.djl.huggingface.tokenizers.jni.TokenizersLibrary;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;

/**
 * Loads the native library of Hugging Face's tokenizers, once: from the folder that the system property
 * {@value #PATH_PROPERTY} names where it has the file, or else from DJL's jar by way of a private folder in
 * {@code java.io.tmpdir}, which is deleted at once. Nothing else of DJL is used: no engine, no network, no home folder.
 *
 * <p>The system property {@code OPT_OUT_TRACKING} of DJL is set to {@code true} before, unless it was set, and stays so: then no
 * class of DJL calls its makers, whoever uses it in this JVM. No other property is touched.
 */
final class TokenizersLoader {
    /** System property: a folder with the native libraries; that of the runtime too. */
    private static final String PATH_PROPERTY = "hydra4j.library.path";

    private static final String TRACKING_PROPERTY = "OPT_OUT_TRACKING";
    private static final String FILE = System.mapLibraryName("tokenizers");
    private static final String EMPTY = "{\"version\":\"1.0\",\"model\":{\"type\":\"BPE\",\"vocab\":{},\"merges\":[]}}";

    private static Throwable failure;
    private static boolean tried;

    private TokenizersLoader() {}

    /**
     * @param file the file that needs the library, for the message
     * @return the library's entry points
     * @throws TokenizerException if there is no library for this machine or it does not load
     */
    static synchronized TokenizersLibrary get(String file) {
        if (!tried) {
            tried = true;
            if (System.getProperty(TRACKING_PROPERTY) == null) {
                System.setProperty(TRACKING_PROPERTY, "true");
            }
            try {
                load();
            } catch (IOException | RuntimeException | LinkageError e) {
                failure = e;
            }
        }
        if (failure != null) {
            throw new TokenizerException(
                    file,
                    "native tokenizer library",
                    String.valueOf(failure),
                    "one that loads on " + System.getProperty("os.name") + " " + System.getProperty("os.arch")
                            + ": set java.io.tmpdir to a folder that can be written and may hold programs, or "
                            + PATH_PROPERTY + " to one with " + FILE,
                    failure);
        }
        return TokenizersLibrary.LIB;
    }

    private static void load() throws IOException {
        String folder = System.getProperty(PATH_PROPERTY, "");
        Path given = Path.of(folder, FILE).toAbsolutePath();
        if (!folder.isEmpty() && Files.isRegularFile(given)) {
            load(given);
            return;
        }
        try (InputStream packed = packed()) {
            Path unpacked = Files.createTempDirectory("hydra4j-tokenizers-");
            Path library = unpacked.resolve(FILE);
            try {
                Files.copy(packed, library);
                load(library);
            } finally {
                // Linux keeps what is loaded.
                Files.deleteIfExists(library);
                Files.deleteIfExists(unpacked);
            }
        }
    }

    private static InputStream packed() throws FileNotFoundException {
        String machine = System.getProperty("os.arch").equals("amd64") ? "x86_64" : System.getProperty("os.arch");
        String name = "/native/lib/" + System.getProperty("os.name").toLowerCase(Locale.ROOT) + "-" + machine + "/cpu/"
                + FILE;
        InputStream packed = TokenizersLibrary.class.getResourceAsStream(name);
        if (packed == null) {
            throw new FileNotFoundException("the class path has no " + name);
        }
        return packed;
    }

    /** Fails also if the library belongs to another class loader than its entry points. */
    @SuppressWarnings("restricted")
    private static void load(Path library) {
        System.load(library.toString());
        TokenizersLibrary.LIB.deleteTokenizer(TokenizersLibrary.LIB.createTokenizerFromString(EMPTY));
    }
}
