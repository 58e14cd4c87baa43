package io.hydra4j.text;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class TokenizerTest {
    @TempDir
    static Path folder;

    static Stream<Tokenizer> byteLevel() {
        return Stream.of(
                TinyTokenizers.fromJson(folder, TinyTokenizers.byteLevelJson()),
                TinyTokenizers.fromGguf(TinyTokenizers.byteLevelGguf()));
    }

    static Stream<Tokenizer> pieces() {
        return Stream.of(
                TinyTokenizers.fromJson(folder, TinyTokenizers.pieceJson()),
                TinyTokenizers.fromGguf(TinyTokenizers.pieceGguf()));
    }

    static Stream<Tokenizer> all() {
        return Stream.concat(byteLevel(), pieces());
    }

    @Test
    void aModelsTokenizerIsThatOfItsFolderOrOfItsGgufFileOrNone(@TempDir Path model) throws IOException {
        Path gguf = model.resolve("model.gguf");
        assertEquals(Optional.empty(), Tokenizer.of(model, Map::of));
        assertEquals(Optional.empty(), Tokenizer.of(gguf, Map::of));
        Path json = Files.writeString(model.resolve("tokenizer.json"), TinyTokenizers.byteLevelJson());
        try (Tokenizer ofFolder = Tokenizer.of(model, Map::of).orElseThrow();
                Tokenizer ofJson = Tokenizer.of(json, Map::of).orElseThrow();
                Tokenizer ofGguf = Tokenizer.of(gguf, TinyTokenizers::pieceGguf).orElseThrow()) {
            assertEquals(260, ofFolder.vocabularySize());
            assertEquals(260, ofJson.vocabularySize());
            assertEquals(267, ofGguf.vocabularySize());
        }
    }

    @Test
    void aTokenizerThatTheModelHasNoRowsForIsRefused(@TempDir Path model) throws IOException {
        Path json = Files.writeString(model.resolve("tokenizer.json"), TinyTokenizers.byteLevelJson());
        Tokenizer.of(model, Map::of, 260).orElseThrow().close();
        Tokenizer.of(model, Map::of, 300).orElseThrow().close();
        TokenizerException error = assertThrows(TokenizerException.class, () -> Tokenizer.of(model, Map::of, 259));
        assertEquals(json.toString(), error.file());
        assertEquals("ids up to 259", error.found());
        assertTrue(error.expected().startsWith("ids below 259"), error.getMessage());
    }

    @Test
    void aTokenizerJsonThatIsNoRegularFileIsRefused(@TempDir Path model) throws IOException {
        Files.createDirectory(model.resolve("tokenizer.json"));
        assertThrows(TokenizerException.class, () -> Tokenizer.of(model, Map::of));
    }

    @ParameterizedTest
    @MethodSource("byteLevel")
    void byteLevelTextIsMergedAndEnded(Tokenizer tokenizer) {
        try (tokenizer) {
            assertArrayEquals(new int[] {257, 75, 78, 258}, tokenizer.encode("hello"));
            assertArrayEquals(new int[] {257, 75, 78}, tokenizer.encode("hello", false));
            assertArrayEquals(new int[] {258}, tokenizer.encode(""));
            assertEquals("hello<|end|>", tokenizer.decode(tokenizer.encode("hello"), false));
            assertEquals("hello", tokenizer.decode(tokenizer.encode("hello"), true));
        }
    }

    @ParameterizedTest
    @MethodSource("pieces")
    void piecesAreMergedBehindASpaceAndABegin(Tokenizer tokenizer) {
        try (tokenizer) {
            // "a b" is made first, then "_ ab", so that nothing is left to make "abc" of.
            assertArrayEquals(new int[] {1, 264, 262}, tokenizer.encode("abc"));
            assertArrayEquals(new int[] {264, 259, 262, 265}, tokenizer.encode("ab cabc", false));
            assertArrayEquals(new int[] {1}, tokenizer.encode(""));
            assertEquals("abc", tokenizer.decode(new int[] {264, 262}, false));
            assertEquals("<s> abc", tokenizer.decode(new int[] {1, 264, 262}, false));
        }
    }

    @ParameterizedTest
    @MethodSource("all")
    void specialTokensInTheTextAreRecognised(Tokenizer tokenizer) {
        try (tokenizer) {
            for (String token : new String[] {"<|end|>", "<think>", "</s>"}) {
                tokenizer.id(token).ifPresent(id -> {
                    assertTrue(IntStream.of(tokenizer.encode("a" + token + "b", false))
                            .anyMatch(it -> it == id));
                    assertEquals(Optional.of(token), tokenizer.token(id));
                    assertEquals(!token.equals("<think>"), tokenizer.isSpecial(id));
                });
            }
        }
    }

    @ParameterizedTest
    @MethodSource("all")
    void specialTokensInAUsersTextAreText(Tokenizer tokenizer) {
        try (tokenizer) {
            for (String text : new String[] {"a<|end|>b", "</s>", "ab</s><s><unk>", "<|end|>", "<|end|><think>"}) {
                int[] ids = tokenizer.encode(text, EncodeOptions.TEXT);
                assertTrue(IntStream.of(ids).noneMatch(tokenizer::isSpecial), text);
                assertEquals(text, tokenizer.decode(ids, true));
                tokenizer
                        .id("<think>")
                        .ifPresent(think -> assertEquals(
                                text.contains("<think>"), IntStream.of(ids).anyMatch(id -> id == think)));
            }
        }
    }

    /** As in the tables of llama models, where the pieces that make up the end of text are there to be merged. */
    @Test
    void noMergeMakesASpecialToken() {
        Map<String, Object> metadata = TinyTokenizers.pieceGguf();
        String[] tokens = ((String[]) metadata.get("tokenizer.ggml.tokens")).clone();
        int last = tokens.length - 1;
        String[] more = {"</", "s>", "/", "s", "<", ">"};
        String[] all = Arrays.copyOf(tokens, tokens.length + more.length);
        System.arraycopy(more, 0, all, tokens.length, more.length);
        metadata.put("tokenizer.ggml.tokens", all);
        long[] types = Arrays.copyOf((long[]) metadata.get("tokenizer.ggml.token_type"), all.length);
        Arrays.fill(types, last + 1, all.length, 1);
        metadata.put("tokenizer.ggml.token_type", types);
        metadata.put(
                "tokenizer.ggml.scores", Arrays.copyOf((double[]) metadata.get("tokenizer.ggml.scores"), all.length));
        try (Tokenizer tokenizer = TinyTokenizers.fromGguf(metadata)) {
            int end = tokenizer.id("</s>").orElseThrow();
            int[] ids = tokenizer.encode("a</s>", EncodeOptions.TEXT);
            assertTrue(IntStream.of(ids).noneMatch(id -> id == end), Arrays.toString(ids));
            assertEquals("a</s>", tokenizer.decode(ids, true));
            assertTrue(IntStream.of(tokenizer.encode("a</s>")).anyMatch(id -> id == end));
        }
    }

    @ParameterizedTest
    @MethodSource("all")
    void anyTextComesBack(Tokenizer tokenizer) {
        try (tokenizer) {
            for (String text : new String[] {
                "",
                " ",
                "  ",
                " a",
                "a ",
                "a\n\tb\r\n",
                "h\u00e9 \u4e2d\u6587",
                "\ud83d\udc69\u200d\ud83d\udcbb!",
                "\0a"
            }) {
                assertEquals(text, tokenizer.decode(tokenizer.encode(text), true));
            }
        }
    }

    @ParameterizedTest
    @MethodSource("all")
    void halfASurrogatePairCountsAsAReplacementCharacter(Tokenizer tokenizer) {
        try (tokenizer) {
            assertArrayEquals(tokenizer.encode("a\ufffdb\ufffd"), tokenizer.encode("a\ud83db\udc69"));
        }
    }

    @ParameterizedTest
    @MethodSource("all")
    void idsThatItDoesNotHaveAreRefusedAndPassedOverWhereAModelGeneratesThem(Tokenizer tokenizer) {
        try (tokenizer) {
            int[] ids = {-1, tokenizer.vocabularySize(), Integer.MAX_VALUE, Integer.MIN_VALUE};
            assertEquals("", tokenizer.stream(false).push(ids));
            for (int id : ids) {
                var error =
                        assertThrows(IllegalArgumentException.class, () -> tokenizer.decode(new int[] {75, id}, false));
                assertTrue(error.getMessage().contains("id " + id + ":"), error.getMessage());
                assertEquals(Optional.empty(), tokenizer.token(id));
                assertFalse(tokenizer.isSpecial(id));
            }
            assertEquals(OptionalInt.empty(), tokenizer.id("no such token"));
        }
    }

    @Test
    void unusedTokensOfAGgufFileAreNotThere() {
        Map<String, Object> metadata = TinyTokenizers.byteLevelGguf();
        ((long[]) metadata.get("tokenizer.ggml.token_type"))[259] = 5;
        try (Tokenizer tokenizer = TinyTokenizers.fromGguf(metadata)) {
            assertEquals(259, tokenizer.vocabularySize());
            assertThrows(IllegalArgumentException.class, () -> tokenizer.decode(new int[] {259}, false));
        }
    }

    @Test
    void aGgufFileMaySayThatNoSpaceIsPutBeforeTheText() {
        Map<String, Object> metadata = TinyTokenizers.pieceGguf();
        metadata.put("tokenizer.ggml.add_space_prefix", false);
        metadata.put("tokenizer.ggml.add_bos_token", false);
        try (Tokenizer tokenizer = TinyTokenizers.fromGguf(metadata)) {
            assertArrayEquals(new int[] {263, 264}, tokenizer.encode("ab ab"));
            assertEquals(" ab", tokenizer.decode(tokenizer.encode(" ab"), false));
        }
    }

    @Test
    void paddingAndTruncationAreNotApplied() {
        String json = TinyTokenizers.byteLevelJson()
                .replace(
                        "\"padding\":null",
                        "\"padding\":{\"strategy\":{\"Fixed\":4000000000},\"direction\":\"Right\","
                                + "\"pad_to_multiple_of\":null,\"pad_id\":0,\"pad_type_id\":0,\"pad_token\":\"!\"}")
                .replace(
                        "\"truncation\":null",
                        "\"truncation\":{\"max_length\":1,\"strategy\":\"LongestFirst\",\"stride\":0}");
        try (Tokenizer tokenizer = TinyTokenizers.fromJson(folder, json)) {
            assertArrayEquals(new int[] {257, 75, 78}, tokenizer.encode("hello", false));
        }
    }

    @Test
    void aMetaspaceTokenizerDropsTheMarksOfItsFirstToken() {
        String json = TinyTokenizers.pieceJson();
        int from = json.indexOf("\"decoder\"");
        int to = json.indexOf("\"model\"");
        String metaspace =
                "{\"type\":\"Metaspace\",\"replacement\":\"\u2581\",\"prepend_scheme\":\"always\",\"split\":false}";
        json = json.substring(0, from) + "\"decoder\":" + metaspace + "," + json.substring(to);
        try (Tokenizer tokenizer = TinyTokenizers.fromJson(folder, json)) {
            assertEquals("ab ab", tokenizer.decode(new int[] {264, 264}, false));
            assertEquals("ab", tokenizer.decode(new int[] {266, 263}, false));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"default", "gpt-2", "smollm", "llama-bpe", "qwen2", "tekken"})
    void thePreTokenizersOfGgufFilesWork(String name) {
        Map<String, Object> metadata = TinyTokenizers.byteLevelGguf();
        metadata.put("tokenizer.ggml.pre", name);
        metadata.put("tokenizer.ggml.bos_token_id", 258L);
        try (Tokenizer tokenizer = TinyTokenizers.fromGguf(metadata)) {
            String text = "hello World's  x = 1234;\n\n\t}  ";
            assertEquals(text, tokenizer.decode(tokenizer.encode(text), true));
        }
    }

    @ParameterizedTest
    @MethodSource("all")
    void aClosedTokenizerStillDecodesButDoesNotEncode(Tokenizer tokenizer) {
        int[] ids = tokenizer.encode("ab", false);
        tokenizer.close();
        tokenizer.close();
        assertEquals("ab", tokenizer.decode(ids, false));
        assertThrows(IllegalStateException.class, () -> tokenizer.encode("ab"));
    }

    @Test
    void manyThreadsEncodeAtOnce() {
        try (Tokenizer tokenizer = TinyTokenizers.fromGguf(TinyTokenizers.byteLevelGguf())) {
            int[] expected = tokenizer.encode("hello hell".repeat(50));
            assertTrue(IntStream.range(0, 400)
                    .parallel()
                    .allMatch(i -> Arrays.equals(expected, tokenizer.encode("hello hell".repeat(50)))));
        }
    }

    @Test
    void aTextThatIsTooLongIsRefused() {
        try (Tokenizer tokenizer = TinyTokenizers.fromGguf(TinyTokenizers.byteLevelGguf())) {
            String text = "a".repeat(tokenizer.longestText() + 1);
            TokenizerException error = assertThrows(TokenizerException.class, () -> tokenizer.encode(text));
            assertEquals("text", error.field());
            assertTrue(error.expected().contains("" + tokenizer.longestText()), error.getMessage());
        }
    }
}
