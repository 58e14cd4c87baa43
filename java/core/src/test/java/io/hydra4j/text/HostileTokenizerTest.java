package io.hydra4j.text;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Map;
import java.util.Random;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Files with one defect each: each gives its own error, soon, and never a crash. */
class HostileTokenizerTest {
    /** Nothing hangs. */
    private static final Duration SOON = Duration.ofSeconds(20);

    private static final String GGML = "tokenizer.ggml.";
    private static final String DIGITS = "{\"type\":\"Digits\",\"individual_digits\":true}";

    @TempDir
    static Path folder;

    /** What is replaced in a good tokenizer.json by what, and the field that the error must name. */
    static Stream<Arguments> byteLevelDefects() {
        return Stream.of(
                Arguments.of("\"version\":\"1.0\"", "\"version\":\"9\"", "version"),
                Arguments.of("\"version\":\"1.0\",", "\"version\":\"1.0\",\"version\":\"1.0\",", "version"),
                Arguments.of("{\"version\"", "[{\"version\"", "file"),
                Arguments.of("\"merges\":[\"h e\",\"he l\"]}}", "\"merges\":[\"h e\"]}}{", "file"),
                Arguments.of("\"merges\":[\"h e\",\"he l\"]}}", "\"merges\":[\"h e\",", "file"),
                Arguments.of("\"model\":{", "\"model\":7,\"x\":{", "model"),
                Arguments.of("\"type\":\"BPE\"", "\"type\":\"Unigram\"", "model.type"),
                Arguments.of("\"dropout\":null", "\"dropout\":0.5", "model.dropout"),
                Arguments.of("\"end_of_word_suffix\":null", "\"end_of_word_suffix\":\"_\"", "model.end_of_word_suffix"),
                Arguments.of("\"unk_token\":null", "\"unk_token\":\"<none>\"", "model"),
                Arguments.of("\"byte_fallback\":false", "\"byte_fallback\":true", "model"),
                Arguments.of("\"byte_fallback\":false", "\"byte_fallback\":\"yes\"", "model.byte_fallback"),
                Arguments.of("\"he\":256", "\"he\":-1", "model.vocab.he"),
                Arguments.of("\"he\":256", "\"he\":4000000000", "model.vocab.he"),
                Arguments.of("\"he\":256", "\"he\":99999999999999999999", "model.vocab.he"),
                Arguments.of("\"he\":256", "\"he\":1.5", "model.vocab.he"),
                Arguments.of("\"he\":256", "\"he\":\"256\"", "model.vocab.he"),
                Arguments.of("\"he\":256", "\"he\":257", "model.vocab.hel"),
                Arguments.of("\"he\":256", "\"he\":1000", "model.vocab"),
                Arguments.of("\"he\":256", "\"he\":256,\"he\":256", "model.vocab.he"),
                Arguments.of("\"he\":256", "\"he\\ud800\":256", "model.vocab.he?"),
                Arguments.of("\"he l\"", "\"he zz\"", "model"),
                Arguments.of("\"he l\"", "\"he  l\"", "model.merges[1]"),
                Arguments.of("\"he l\"", "\"hel\"", "model.merges[1]"),
                Arguments.of("\"he l\"", "[\"he\",\"l\",\"l\"]", "model.merges[1]"),
                Arguments.of("\"he l\"", "[\"hel\",\"\"]", "model"),
                Arguments.of("\"he l\"", "17", "model.merges[1]"),
                Arguments.of("\"id\":258", "\"id\":300", "added_tokens[0].id"),
                Arguments.of("\"id\":258", "\"id\":4294967295", "added_tokens[0].id"),
                Arguments.of("\"content\":\"<think>\"", "\"content\":\"\"", "added_tokens[1].content"),
                Arguments.of("\"content\":\"<think>\"", "\"content\":\"<|end|>\"", "added_tokens[1].content"),
                Arguments.of("\"content\":\"<think>\"", "\"content\":\"he\"", "added_tokens[1].id"),
                Arguments.of("\"special\":true", "\"special\":1", "added_tokens[0].special"),
                Arguments.of("\"ids\":[258]", "\"ids\":[260]", "post_processor.special_tokens.<|end|>.ids[0]"),
                Arguments.of("\"ids\":[258]", "\"ids\":[-1]", "post_processor.special_tokens.<|end|>.ids[0]"),
                Arguments.of("\"ids\":[258]", "\"ids\":" + zeros(100), "post_processor.special_tokens.<|end|>.ids"),
                Arguments.of(
                        "{\"SpecialToken\":{\"id\":\"<|end|>\"",
                        "{\"SpecialToken\":{\"id\":\"x\"",
                        "post_processor.special_tokens.x"),
                Arguments.of("{\"Sequence\":{\"id\":\"A\"", "{\"Sequence\":{\"id\":\"B\"", "post_processor.single"),
                Arguments.of("\"type\":\"TemplateProcessing\"", "\"type\":\"BertProcessing\"", "post_processor.type"),
                Arguments.of("\"decoder\":{\"type\":\"ByteLevel\"", "\"decoder\":{\"type\":\"CTC\"", "decoder.type"),
                Arguments.of("\"decoder\":{\"type\":\"ByteLevel\"", "\"decoder\":null,\"x\":{\"type\":\"\"", "decoder"),
                normalizer("{\"type\":\"Precompiled\"}", "normalizer.type"),
                normalizer(
                        "{\"type\":\"Replace\",\"pattern\":{\"String\":\"\"},\"content\":\"x\"}",
                        "normalizer.pattern.String"),
                normalizer(
                        "{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"\"},\"content\":\"x\"}",
                        "normalizer.pattern.Regex"),
                normalizer(replace("a", "b".repeat(17)), "normalizer.content"),
                normalizer("{\"type\":\"Prepend\",\"prepend\":\"\"}", "normalizer.prepend"),
                normalizer(
                        sequence("normalizers", sequence("normalizers", "{\"type\":\"NFC\"}", 9), 2),
                        "normalizer.normalizers[1].normalizers"),
                preTokenizer(
                        sequence("pretokenizers", sequence("pretokenizers", DIGITS, 9), 2),
                        "pre_tokenizer.pretokenizers[1].pretokenizers"),
                preTokenizer(
                        sequence("pretokenizers", "{\"type\":\"ByteLevel\",\"add_prefix_space\":true}", 2),
                        "pre_tokenizer.pretokenizers[1].type"),
                preTokenizer(
                        "{\"type\":\"Sequence\",\"pretokenizers\":[" + DIGITS
                                + ",{\"type\":\"Metaspace\",\"replacement\":\"_\",\"prepend_scheme\":\"first\"}]}",
                        "pre_tokenizer.pretokenizers[1].prepend_scheme"),
                preTokenizer(split("\"Regex\":\"(?:(?=.{0,64}.{0,64}x)a)*b\""), "pre_tokenizer.pattern.Regex"),
                normalizer(sequence("normalizers", replace("a", "aaaaaaaa"), 9), "normalizer.normalizers[1].content"),
                normalizer(sequence("normalizers", "{\"type\":\"NFC\"}", 1000), "normalizer.normalizers"),
                normalizer(nested("normalizers", 10), "normalizer" + ".normalizers[0]".repeat(4) + ".normalizers"),
                normalizer(nested("normalizers", 10_000), "file"),
                preTokenizer("{\"type\":\"UnicodeScripts\"}", "pre_tokenizer.type"),
                preTokenizer("{\"type\":\"Metaspace\",\"replacement\":\"\"}", "pre_tokenizer.replacement"),
                preTokenizer("{\"type\":\"Metaspace\",\"replacement\":\"ab\"}", "pre_tokenizer.replacement"),
                preTokenizer(
                        "{\"type\":\"Metaspace\",\"replacement\":\"_\",\"prepend_scheme\":\"x\"}",
                        "pre_tokenizer.prepend_scheme"),
                preTokenizer(split("\"String\":\"\""), "pre_tokenizer.pattern.String"),
                preTokenizer(split("\"Regex\":\"(a+)+c\""), "pre_tokenizer.pattern.Regex"),
                preTokenizer(split("\"Regex\":\"(\""), "pre_tokenizer.pattern.Regex"),
                preTokenizer(split("\"Regex\":\"\\\\p{Nonsense}\""), "tokenizer"),
                preTokenizer(split("\"Regex\":\"a\"").replace("Isolated", "Sometimes"), "pre_tokenizer.behavior"),
                preTokenizer(
                        nested("pretokenizers", 10),
                        "pre_tokenizer" + ".pretokenizers[0]".repeat(4) + ".pretokenizers"));
    }

    @ParameterizedTest
    @MethodSource("byteLevelDefects")
    void aTokenizerJsonWithADefectGivesAnErrorThatNamesIt(String from, String to, String field) {
        String good = TinyTokenizers.byteLevelJson();
        assertTrue(good.contains(from), from);
        check(() -> TinyTokenizers.fromJson(folder, good.replace(from, to)), "tokenizer.json", field);
    }

    static Stream<Arguments> pieceDefects() {
        return Stream.of(
                Arguments.of("\"<0x00>\":3", "\"<0xZZ>\":3", "model"),
                Arguments.of("{\"type\":\"Fuse\"},", "", "decoder.decoders[2].type"),
                Arguments.of(
                        "\"decoders\":[{",
                        "\"decoders\":[" + (replace("a", "a".repeat(64)) + ",").repeat(15) + "{",
                        "decoder.decoders"),
                Arguments.of(
                        "\"decoders\":[{",
                        "\"decoders\":[" + (replace("a", "a".repeat(64)) + ",").repeat(11) + "{",
                        "decoder.decoders[1].content"),
                Arguments.of("\"start\":1,\"stop\":0", "\"start\":1,\"stop\":1", "decoder.decoders[3].stop"),
                Arguments.of("\"start\":1,\"stop\":0", "\"start\":4000000000,\"stop\":0", "decoder.decoders[3].start"),
                Arguments.of(
                        "\"content\":\" \",\"start\"", "\"content\":\"\",\"start\"", "decoder.decoders[3].content"),
                Arguments.of(
                        "{\"type\":\"ByteFallback\"}",
                        "{\"type\":\"Sequence\",\"decoders\":[]}",
                        "decoder.decoders[1].type"));
    }

    @ParameterizedTest
    @MethodSource("pieceDefects")
    void aTokenizerJsonOfPiecesWithADefectGivesAnErrorThatNamesIt(String from, String to, String field) {
        String good = TinyTokenizers.pieceJson();
        assertTrue(good.contains(from), from);
        check(() -> TinyTokenizers.fromJson(folder, good.replace(from, to)), "tokenizer.json", field);
    }

    static Stream<Arguments> ggufDefects() {
        return Stream.of(
                gguf("model", all -> all.remove(GGML + "model")),
                gguf("model", all -> all.put(GGML + "model", "bert")),
                gguf("model", all -> all.put(GGML + "model", 7L)),
                gguf("tokens", all -> all.remove(GGML + "tokens")),
                gguf("tokens", all -> all.put(GGML + "tokens", new String[0])),
                gguf("tokens", all -> all.put(GGML + "tokens", new long[] {1})),
                gguf("tokens[5]", all -> tokens(all)[5] = tokens(all)[4]),
                gguf("tokens[5]", all -> tokens(all)[5] = ""),
                gguf("tokens[5]", all -> tokens(all)[5] = "\0"),
                gguf("tokens[5]", all -> tokens(all)[5] = "\ud800"),
                gguf("tokens[5]", all -> tokens(all)[5] = "x".repeat(1 << 20)),
                gguf("token_type", all -> all.put(GGML + "token_type", new long[] {1})),
                gguf("token_type", all -> all.put(GGML + "token_type", new double[] {1})),
                gguf("token_type[5]", all -> ((long[]) all.get(GGML + "token_type"))[5] = 7),
                gguf("add_eos_token", all -> all.put(GGML + "add_eos_token", "yes")),
                gguf("eos_token_id", all -> all.put(GGML + "eos_token_id", 260L)),
                gguf("eos_token_id", all -> all.put(GGML + "eos_token_id", -1L)),
                gguf("eos_token_id", all -> all.put(GGML + "eos_token_id", 4294967295L)),
                gguf("eos_token_id", all -> all.put(GGML + "eos_token_id", Double.NaN)));
    }

    static Stream<Arguments> byteLevelGgufDefects() {
        return Stream.of(
                gguf("pre", all -> all.put(GGML + "pre", "no-such-cut")),
                gguf("merges", all -> all.remove(GGML + "merges")),
                gguf("merges[0]", all -> all.put(GGML + "merges", new String[] {"he"})),
                gguf("tokens (merges)", all -> all.put(GGML + "merges", new String[] {"h x"})),
                gguf("tokens (merges)", all -> all.put(GGML + "merges", new String[] {"he "})));
    }

    static Stream<Arguments> pieceGgufDefects() {
        return Stream.of(
                gguf("scores", all -> all.remove(GGML + "scores")),
                gguf("scores", all -> all.put(GGML + "scores", new double[3])),
                gguf("scores[3]", all -> ((double[]) all.get(GGML + "scores"))[3] = Double.NaN),
                gguf("scores[3]", all -> ((double[]) all.get(GGML + "scores"))[3] = Double.NEGATIVE_INFINITY),
                gguf("unknown_token_id", all -> all.put(GGML + "unknown_token_id", 1L << 40)),
                gguf("unknown_token_id", all -> ((long[]) all.get(GGML + "token_type"))[0] = 5),
                gguf("tokens (tokens)", all -> tokens(all)[3] = "hole"),
                gguf("tokens (tokens)", all -> tokens(all)[100] = "hole"));
    }

    @ParameterizedTest
    @MethodSource({"ggufDefects", "byteLevelGgufDefects"})
    void byteLevelTablesWithADefectGiveAnErrorThatNamesIt(String field, Consumer<Map<String, Object>> defect) {
        Map<String, Object> metadata = TinyTokenizers.byteLevelGguf();
        defect.accept(metadata);
        check(() -> TinyTokenizers.fromGguf(metadata), "model.gguf", GGML + field);
    }

    @ParameterizedTest
    @MethodSource("pieceGgufDefects")
    void pieceTablesWithADefectGiveAnErrorThatNamesIt(String field, Consumer<Map<String, Object>> defect) {
        Map<String, Object> metadata = TinyTokenizers.pieceGguf();
        defect.accept(metadata);
        check(() -> TinyTokenizers.fromGguf(metadata), "model.gguf", GGML + field);
    }

    @Test
    void anUnknownPreTokenizerIsNamed() {
        Map<String, Object> metadata = TinyTokenizers.byteLevelGguf();
        metadata.put(GGML + "pre", "no-such-cut");
        TokenizerException error = assertThrows(TokenizerException.class, () -> TinyTokenizers.fromGguf(metadata));
        assertEquals("\"no-such-cut\"", error.found());
        assertTrue(error.expected().contains("llama-bpe"));
    }

    @Test
    void aMissingFileAFolderAndAFileOfAnotherKindAreErrors() throws IOException {
        check(() -> Tokenizer.fromJson(folder.resolve("none.json")), "none.json", "file");
        check(() -> Tokenizer.fromJson(folder), folder.toString(), "file");
        Path file = folder.resolve("binary.json");
        byte[] bytes = new byte[1000];
        new Random(5).nextBytes(bytes);
        for (byte[] content : new byte[][] {
            {}, bytes, {'{'}, {'{', '"', (byte) 0xC3, '(', '"'}, "null".getBytes(StandardCharsets.UTF_8)
        }) {
            Files.write(file, content);
            check(() -> Tokenizer.fromJson(file), "binary.json", "file");
        }
    }

    @Test
    void aThousandRandomlyDamagedFilesGiveErrorsOrWork() {
        String[] good = {TinyTokenizers.byteLevelJson(), TinyTokenizers.pieceJson()};
        Random random = new Random(6);
        for (int round = 0; round < 1000; round++) {
            StringBuilder json = new StringBuilder(good[round % 2]);
            for (int i = random.nextInt(3); i >= 0; i--) {
                int at = random.nextInt(json.length());
                switch (random.nextInt(3)) {
                    case 0 -> json.setCharAt(at, "{}[]\",:\\09xe-".charAt(random.nextInt(13)));
                    case 1 -> json.delete(at, Math.min(json.length(), at + 1 + random.nextInt(8)));
                    default -> json.insert(at, json.substring(at, Math.min(json.length(), at + random.nextInt(40))));
                }
            }
            assertTimeoutPreemptively(SOON, () -> {
                try (Tokenizer tokenizer = TinyTokenizers.fromJson(folder, json.toString())) {
                    tokenizer.decode(tokenizer.encode("hello ab abc \u4e2d <|end|> </s>"), true);
                } catch (TokenizerException expected) {
                    assertFalse(expected.getMessage().contains("\n"));
                }
            });
        }
    }

    @Test
    void tooManyAddedTokensAreRefusedSoon() {
        String many = IntStream.range(260, 40_260)
                .mapToObj(id -> "{\"id\":" + id + ",\"content\":\"<t" + id + ">\"},")
                .collect(Collectors.joining());
        String json = TinyTokenizers.byteLevelJson();
        int end = json.indexOf("],\"normalizer\"");
        String all = json.substring(0, end) + "," + many.substring(0, many.length() - 1) + json.substring(end);
        check(() -> TinyTokenizers.fromJson(folder, all), "tokenizer.json", "model (added tokens)");
    }

    @Test
    void piecesThatCanBeDividedInTooManyWaysAreRefusedSoon() {
        String[] tokens = new String[20_000];
        for (int id = 0; id < tokens.length; id++) {
            tokens[id] = "a".repeat(4000) + id;
        }
        Map<String, Object> metadata = TinyTokenizers.pieceGguf();
        metadata.put(GGML + "tokens", tokens);
        metadata.put(GGML + "scores", new double[tokens.length]);
        metadata.remove(GGML + "token_type");
        check(() -> TinyTokenizers.fromGguf(metadata), "model.gguf", GGML + "tokens");
    }

    private static void check(Runnable open, String file, String field) {
        TokenizerException error =
                assertTimeoutPreemptively(SOON, () -> assertThrows(TokenizerException.class, open::run));
        assertTrue(error.file().endsWith(file), error.file());
        assertTrue(error.field().equals(field) || error.field().startsWith(field + " ("), error.getMessage());
        assertTrue(error.getMessage().length() < 2000, error.getMessage());
        assertFalse(error.getMessage().contains("\n"), error.getMessage());
    }

    private static Arguments gguf(String field, Consumer<Map<String, Object>> defect) {
        return Arguments.of(field, defect);
    }

    private static String[] tokens(Map<String, Object> metadata) {
        return (String[]) metadata.get(GGML + "tokens");
    }

    private static Arguments normalizer(String json, String field) {
        return Arguments.of("\"normalizer\":null", "\"normalizer\":" + json, field);
    }

    private static Arguments preTokenizer(String json, String field) {
        return Arguments.of("\"pre_tokenizer\":{", "\"pre_tokenizer\":" + json + ",\"x\":{", field);
    }

    private static String replace(String pattern, String content) {
        return "{\"type\":\"Replace\",\"pattern\":{\"String\":\"" + pattern + "\"},\"content\":\"" + content + "\"}";
    }

    private static String split(String pattern) {
        return "{\"type\":\"Split\",\"pattern\":{" + pattern + "},\"behavior\":\"Isolated\",\"invert\":false}";
    }

    private static String sequence(String name, String part, int times) {
        return "{\"type\":\"Sequence\",\"" + name + "\":[" + (part + ",").repeat(times - 1) + part + "]}";
    }

    private static String nested(String name, int depth) {
        return ("{\"type\":\"Sequence\",\"" + name + "\":[").repeat(depth) + "]}".repeat(depth);
    }

    private static String zeros(int count) {
        return Arrays.toString(new int[count]);
    }
}
