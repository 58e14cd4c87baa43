package io.hydra4j.text;

import io.hydra4j.format.GgufVocabulary;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** Small tokenizers of both kinds, as tokenizer.json and as the metadata of a GGUF file. */
public final class TinyTokenizers {
    private static final List<String> PIECES =
            List.of("\u2581", "a", "b", "c", "ab", "\u2581ab", "abc", "\u2581\u2581");

    private TinyTokenizers() {}

    /** Ids: 0 to 255 the bytes in the order of the alphabet, 256 "he", 257 "hel", 258 end (special), 259 think. */
    public static String byteLevelJson() {
        List<String> tokens = byteLevelTokens();
        return """
                {"version":"1.0","truncation":null,"padding":null,
                "added_tokens":[%s,%s],"normalizer":null,
                "pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true},
                "post_processor":{"type":"TemplateProcessing",
                "single":[{"Sequence":{"id":"A","type_id":0}},{"SpecialToken":{"id":"<|end|>","type_id":0}}],"pair":[],
                "special_tokens":{"<|end|>":{"id":"<|end|>","ids":[258],"tokens":["<|end|>"]}}},
                "decoder":{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true},
                "model":{"type":"BPE","dropout":null,"unk_token":null,"continuing_subword_prefix":null,
                "end_of_word_suffix":null,"fuse_unk":false,"byte_fallback":false,"vocab":{%s},
                "merges":["h e","he l"]}}
                """
                .formatted(
                        added(258, "<|end|>", true),
                        added(259, "<think>", false),
                        vocabulary(tokens.subList(0, tokens.size() - 2)));
    }

    /** Ids: 0 unknown, 1 begin, 2 end, 3 to 258 the bytes, then some pieces; a space is put before every text. */
    public static String pieceJson() {
        return """
                {"version":"1.0","truncation":null,"padding":null,
                "added_tokens":[%s,%s,%s],
                "normalizer":{"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"\u2581"},
                {"type":"Replace","pattern":{"String":" "},"content":"\u2581"}]},
                "pre_tokenizer":null,
                "post_processor":{"type":"TemplateProcessing",
                "single":[{"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],"pair":[],
                "special_tokens":{"<s>":{"id":"<s>","ids":[1],"tokens":["<s>"]}}},
                "decoder":{"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"\u2581"},"content":" "},
                {"type":"ByteFallback"},{"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":0}]},
                "model":{"type":"BPE","dropout":null,"unk_token":"<unk>","continuing_subword_prefix":null,
                "end_of_word_suffix":null,"fuse_unk":true,"byte_fallback":true,"vocab":{%s},
                "merges":[["a","b"],["\u2581","ab"],["ab","c"],["\u2581","\u2581"]]}}
                """
                .formatted(
                        added(0, "<unk>", true),
                        added(1, "<s>", true),
                        added(2, "</s>", true),
                        vocabulary(pieceTokens()));
    }

    /** The tables of {@link #byteLevelJson}. */
    public static Map<String, Object> byteLevelGguf() {
        String[] tokens = byteLevelTokens().toArray(String[]::new);
        long[] types = new long[tokens.length];
        Arrays.fill(types, 1);
        types[258] = 3;
        types[259] = 4;
        Map<String, Object> metadata = new LinkedHashMap<>();
        metadata.put("general.architecture", "llama");
        metadata.put("tokenizer.ggml.model", "gpt2");
        metadata.put("tokenizer.ggml.pre", "gpt-2");
        metadata.put("tokenizer.ggml.tokens", tokens);
        metadata.put("tokenizer.ggml.token_type", types);
        metadata.put("tokenizer.ggml.merges", new String[] {"h e", "he l"});
        metadata.put("tokenizer.ggml.eos_token_id", 258L);
        metadata.put("tokenizer.ggml.add_eos_token", true);
        return metadata;
    }

    /** The tables of {@link #pieceJson}. */
    public static Map<String, Object> pieceGguf() {
        String[] tokens = pieceTokens().toArray(String[]::new);
        long[] types = new long[tokens.length];
        double[] scores = new double[tokens.length];
        for (int id = 0; id < tokens.length; id++) {
            types[id] = id == 0 ? 2 : id < 3 ? 3 : id < 259 ? 6 : 1;
            scores[id] = id < 259 ? 0 : 258 - id;
        }
        Map<String, Object> metadata = new LinkedHashMap<>();
        metadata.put("tokenizer.ggml.model", "llama");
        metadata.put("tokenizer.ggml.tokens", tokens);
        metadata.put("tokenizer.ggml.token_type", types);
        metadata.put("tokenizer.ggml.scores", scores);
        metadata.put("tokenizer.ggml.bos_token_id", 1L);
        metadata.put("tokenizer.ggml.eos_token_id", 2L);
        metadata.put("tokenizer.ggml.unknown_token_id", 0L);
        return metadata;
    }

    public static Tokenizer fromJson(Path folder, String json) {
        Path file = folder.resolve("tokenizer.json");
        try {
            Files.writeString(file, json);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return Tokenizer.fromJson(file);
    }

    public static Tokenizer fromGguf(Map<String, Object> metadata) {
        return Tokenizer.fromGguf(Path.of("model.gguf"), metadata);
    }

    private static List<String> byteLevelTokens() {
        List<String> tokens = new ArrayList<>();
        for (char c = 0; c < 0x200; c++) {
            if (ByteAlphabet.bytes(String.valueOf(c)) != null) {
                tokens.add(String.valueOf(c));
            }
        }
        tokens.addAll(List.of("he", "hel", "<|end|>", "<think>"));
        return tokens;
    }

    private static List<String> pieceTokens() {
        List<String> tokens = new ArrayList<>(List.of("<unk>", "<s>", "</s>"));
        for (int value = 0; value < 256; value++) {
            tokens.add(GgufVocabulary.byteToken(value));
        }
        tokens.addAll(PIECES);
        return tokens;
    }

    private static String vocabulary(List<String> tokens) {
        return IntStream.range(0, tokens.size())
                .mapToObj(id -> quoted(tokens.get(id)) + ":" + id)
                .collect(Collectors.joining(","));
    }

    private static String added(int id, String content, boolean special) {
        return """
                {"id":%d,"content":"%s","single_word":false,"lstrip":false,"rstrip":false,
                "normalized":false,"special":%b}"""
                .formatted(id, content, special);
    }

    private static String quoted(String text) {
        return '"' + text.replace("\\", "\\\\").replace("\"", "\\\"") + '"';
    }
}
