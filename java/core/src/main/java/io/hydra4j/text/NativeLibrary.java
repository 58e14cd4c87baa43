package io.hydra4j.text;

import ai.djl.huggingface.tokenizers.jni.LibUtils;
import ai.djl.huggingface.tokenizers.jni.TokenizersLibrary;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Loads the native library of Hugging Face's tokenizers that DJL's jar carries, once. It is unpacked into a private
 * folder and loaded from there, which takes a third of the time of DJL's own way (that one looks for a GPU first, and
 * would fetch a library for it). Where that cannot be done, DJL's way is taken, kept to the CPU and off the network.
 */
final class NativeLibrary {
    private static final String FILE = System.mapLibraryName("tokenizers");
    private static final String EMPTY = "{\"version\":\"1.0\",\"model\":{\"type\":\"BPE\",\"vocab\":{},\"merges\":[]}}";

    private static final System.Logger LOG = System.getLogger(NativeLibrary.class.getName());

    private static Throwable failure;
    private static boolean tried;

    private NativeLibrary() {}

    /**
     * @param file the file that needs the library, for the message
     * @return the library's entry points
     * @throws TokenizerException if there is no library for this machine or it does not load
     */
    static synchronized TokenizersLibrary get(String file) {
        if (!tried) {
            tried = true;
            keepOffTheNetwork();
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
                    "one that loads on " + System.getProperty("os.name") + " " + System.getProperty("os.arch"),
                    failure);
        }
        return TokenizersLibrary.LIB;
    }

    private static void keepOffTheNetwork() {
        for (String[] property :
                new String[][] {{"OPT_OUT_TRACKING", "true"}, {"ai.djl.offline", "true"}, {"RUST_FLAVOR", "cpu"}}) {
            if (System.getProperty(property[0]) == null) {
                System.setProperty(property[0], property[1]);
            }
        }
    }

    private static void load() throws IOException {
        try (InputStream packed = packed()) {
            if (packed != null) {
                loadFrom(packed);
                return;
            }
        } catch (IOException | LinkageError e) {
            // The folder for temporary files is full, or must not hold programs; DJL unpacks to the home folder.
            LOG.log(System.Logger.Level.DEBUG, "tokenizer library not loaded from the temporary folder", e);
        }
        LibUtils.checkStatus();
        probe();
    }

    private static InputStream packed() {
        String machine = System.getProperty("os.arch").equals("amd64") ? "x86_64" : System.getProperty("os.arch");
        boolean linux = System.getProperty("os.name").equals("Linux");
        return linux
                ? TokenizersLibrary.class.getResourceAsStream("/native/lib/linux-" + machine + "/cpu/" + FILE)
                : null;
    }

    private static void loadFrom(InputStream packed) throws IOException {
        Path folder = Files.createTempDirectory("hydra4j-tokenizers-");
        Path library = folder.resolve(FILE);
        try {
            Files.copy(packed, library);
            System.load(library.toString());
            probe();
        } finally {
            // Linux keeps what is loaded.
            Files.deleteIfExists(library);
            Files.deleteIfExists(folder);
        }
    }

    /** Fails if the library belongs to another class loader than its entry points. */
    private static void probe() {
        TokenizersLibrary.LIB.deleteTokenizer(TokenizersLibrary.LIB.createTokenizerFromString(EMPTY));
    }
}
