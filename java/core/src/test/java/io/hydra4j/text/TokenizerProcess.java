package io.hydra4j.text;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.concurrent.TimeUnit;

/** Opens a tokenizer and encodes texts in a JVM of its own, so that a fault that ends the process is seen, and no more. */
public final class TokenizerProcess {
    private TokenizerProcess() {}

    /** @return what {@link #main} printed, a line for each text */
    static String run(Path folder, String json, String... texts) throws IOException, InterruptedException {
        Path tokenizer = Files.writeString(folder.resolve("tokenizer.json"), json);
        Path text = Files.writeString(folder.resolve("texts"), String.join("\0", texts));
        Process process = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-Xmx256m",
                        "-XX:-CreateCoredumpOnCrash",
                        "-XX:ErrorFile=" + folder.resolve("error.log"),
                        "-cp",
                        System.getProperty("java.class.path"),
                        TokenizerProcess.class.getName(),
                        tokenizer.toString(),
                        text.toString())
                .redirectErrorStream(true)
                .redirectOutput(folder.resolve("output").toFile())
                .start();
        if (!process.waitFor(2, TimeUnit.MINUTES)) {
            process.destroyForcibly();
            throw new IllegalStateException("the JVM did not end");
        }
        String output = Files.readString(folder.resolve("output"));
        if (process.exitValue() != 0) {
            throw new AssertionError("the JVM ended with " + process.exitValue() + ": " + output);
        }
        return output.strip();
    }

    /** Prints the ids of each text without what is put around it, or why there are none. */
    public static void main(String[] args) throws IOException {
        String texts = new String(Files.readAllBytes(Path.of(args[1])), StandardCharsets.UTF_8);
        try (Tokenizer tokenizer = Tokenizer.fromJson(Path.of(args[0]))) {
            for (String text : texts.split("\0", -1)) {
                System.out.println(Arrays.toString(tokenizer.encode(text, false)));
            }
        } catch (TokenizerException e) {
            System.out.println("refused: " + e.field());
        }
    }
}
