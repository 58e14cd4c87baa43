package io.hydra4j.text;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Files and texts at which the native library, left to itself, ends the process. */
class TokenizerAbortTest {
    private static final String MORE = "],\"normalizer\""; // where a file of TinyTokenizers takes in more added tokens

    @TempDir
    private Path folder;

    @Test
    void anEmptyPrependIsRefused() throws IOException, InterruptedException {
        String json = TinyTokenizers.byteLevelJson()
                .replace("\"normalizer\":null", "\"normalizer\":{\"type\":\"Prepend\",\"prepend\":\"\"}");
        assertEquals("refused: normalizer.prepend", TokenizerProcess.run(folder, json, "x", "public int"));
    }

    @Test
    void aTokenThatTakesTheWhiteSpaceThatIsAnotherIsFoundAndTheOtherToo() throws IOException, InterruptedException {
        String json = TinyTokenizers.byteLevelJson()
                .replace(MORE, "," + token(260, "<A>", false, true) + "," + token(261, "  ", true, false) + MORE);
        assertEquals(
                "[260, 261, 87]\n[260, 261, 261, 87]\n[261, 260]",
                TokenizerProcess.run(folder, json, "<A>  x", "<A>     x", "  <A>"));
    }

    @Test
    void aNormalizedTokenOfWhichNothingIsLeftIsRefused() throws IOException, InterruptedException {
        String json = TinyTokenizers.byteLevelJson()
                .replace(
                        "\"normalizer\":null",
                        "\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"String\":\"x\"},\"content\":\"\"}")
                .replace(MORE, ",{\"id\":260,\"content\":\"xx\",\"normalized\":true}" + MORE);
        assertEquals("refused: model (added tokens)", TokenizerProcess.run(folder, json, "hello", "axb"));
    }

    @Test
    void aTextOfWhichNothingIsLeftHasNoIds() throws IOException, InterruptedException {
        String json = TinyTokenizers.byteLevelJson()
                .replace(
                        "\"normalizer\":null",
                        "\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"String\":\"x\"},\"content\":\"\"}");
        assertEquals("[]\n[64, 65]\n[258]", TokenizerProcess.run(folder, json, "xxx", "axb", "x<|end|>x"));
    }

    @Test
    void looksAroundInRepetitionsAreRefusedOrBounded() throws IOException, InterruptedException {
        String text = "a".repeat(300);
        for (String regex : new String[] {
            "(?:(?=.{0,64}.{0,64}.{0,64}x)a)*b", "(?:(?=(?:(?=.{0,64}x)a){0,64}b)a)*c", "(?:(?!.{0,64}.{0,64}x)a)*b"
        }) {
            assertEquals("refused: pre_tokenizer.pattern.Regex", TokenizerProcess.run(folder, split(regex), text));
        }
    }

    @Test
    void theLongestTextIsTakenWhateverTheExpressionCosts() throws IOException, InterruptedException {
        for (String regex :
                new String[] {"a*\\\\b\\\\B", "(?=.{0,64}x).", "(?:(?=.{0,64}x)a)*b", "\\\\s*[\\\\r\\\\n]+|\\\\s+"}) {
            int longest;
            try (Tokenizer tokenizer = TinyTokenizers.fromJson(folder, split(regex))) {
                longest = Math.min(tokenizer.longestText(), 1_000_000);
            }
            String ids = TokenizerProcess.run(folder, split(regex), "a".repeat(longest), " ".repeat(longest));
            assertTrue(ids.startsWith("[64") && ids.contains("\n["), () -> ids.substring(0, 100));
        }
    }

    private static String split(String regex) {
        return TinyTokenizers.byteLevelJson()
                .replace(
                        "\"pre_tokenizer\":{",
                        "\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"" + regex
                                + "\"},\"behavior\":\"Isolated\",\"invert\":false},\"x\":{");
    }

    private static String token(int id, String content, boolean lstrip, boolean rstrip) {
        return "{\"id\":%d,\"content\":\"%s\",\"lstrip\":%b,\"rstrip\":%b,\"normalized\":false}"
                .formatted(id, content, lstrip, rstrip);
    }
}
