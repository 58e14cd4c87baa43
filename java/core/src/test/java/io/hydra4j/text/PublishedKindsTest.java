package io.hydra4j.text;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import ai.djl.huggingface.tokenizers.jni.TokenizersLibrary;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Kinds of tokenizers that are published and of which there is no golden file: their ids are the native library's. */
class PublishedKindsTest {
    private static final String[] TEXTS = {
        "",
        " ",
        "ab abc",
        "<|user|>\nab<|end|>\n<|assistant|>\n",
        "<|user|>  ab <|end|> c",
        "a\n\nb\n\n\nc",
        "  ab   c",
        "\u2581\u2581ab",
        "ab</s>  c",
        "<s>ab",
        "a<s> b",
        "<|user|><|end|>\n\n\n"
    };

    @TempDir
    private Path folder;

    /** As Phi-3: a llama vocabulary, and markers of turns that take the white space after them. */
    @Test
    void markersThatTakeTheWhiteSpaceAfterThem() {
        String json = TinyTokenizers.pieceJson()
                .replace(
                        "],\n\"normalizer\"",
                        "," + token(267, "<|user|>", true, true) + "," + token(268, "<|end|>", true, true) + ","
                                + token(269, "<|assistant|>", true, true) + "],\n\"normalizer\"");
        checkLikeTheLibrary(json);
        try (Tokenizer tokenizer = TinyTokenizers.fromJson(folder, json)) {
            assertArrayEquals(
                    new int[] {267, 264, 268, 269}, tokenizer.encode("<|user|>\nab<|end|>\n<|assistant|>\n", false));
        }
    }

    /** As Gemma: spaces become marks, words are cut after each space, runs of line ends are tokens. */
    @Test
    void whiteSpaceThatIsATokenAndNoSpaceBeforeTheText() {
        String json = TinyTokenizers.pieceJson();
        json = json.substring(0, json.indexOf("\"normalizer\""))
                + "\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},\"content\":\"\u2581\"},"
                + "\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"String\":\" \"},\"behavior\":\"MergedWithPrevious\","
                + "\"invert\":false},\"post_processor\":null,\"decoder\":{\"type\":\"Sequence\",\"decoders\":["
                + "{\"type\":\"Replace\",\"pattern\":{\"String\":\"\u2581\"},\"content\":\" \"},{\"type\":\"ByteFallback\"},"
                + "{\"type\":\"Fuse\"}]}," + json.substring(json.indexOf("\"model\""));
        json = json.replace(
                "],\n\"normalizer\"",
                "," + token(267, "\\n\\n", false, false) + "," + token(268, "\\n\\n\\n", false, false) + ","
                        + token(266, "\u2581\u2581", false, false) + "],\n\"normalizer\"");
        checkLikeTheLibrary(json);
        try (Tokenizer tokenizer = TinyTokenizers.fromJson(folder, json)) {
            assertArrayEquals(new int[] {260, 267, 261, 268, 262}, tokenizer.encode("a\n\nb\n\n\nc"));
            assertEquals("  ab   c", tokenizer.decode(tokenizer.encode("  ab   c"), false));
        }
    }

    private void checkLikeTheLibrary(String json) {
        TokenizersLibrary library = TokenizersLoader.get("test");
        long handle = library.createTokenizerFromString(json);
        try (Tokenizer tokenizer = TinyTokenizers.fromJson(folder, json)) {
            for (String text : TEXTS) {
                long encoding = library.encode(handle, text, false);
                int[] expected = Arrays.stream(library.getTokenIds(encoding))
                        .mapToInt(id -> (int) id)
                        .toArray();
                library.deleteEncoding(encoding);
                assertArrayEquals(expected, tokenizer.encode(text, false), text);
            }
        } finally {
            library.deleteTokenizer(handle);
        }
    }

    private static String token(int id, String content, boolean rstrip, boolean special) {
        return "{\"id\":%d,\"content\":\"%s\",\"single_word\":false,\"lstrip\":false,\"rstrip\":%b,\"normalized\":false,\"special\":%b}"
                .formatted(id, content, rstrip, special);
    }
}
