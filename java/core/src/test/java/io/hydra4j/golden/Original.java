package io.hydra4j.golden;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * The tiny byte-level base of the original Hydra code's golden data, with heads: ids 0 to 255 are bytes, 256 begins a file,
 * 257 ends it. Its context is 1024.
 */
public final class Original {
    private static final String FOLDER = "golden/hydra-original/";

    /** The committed heads, one set of each kind. */
    public static final List<String> HEADS = List.of("hydra-ungrounded", "hydra", "hydra-plus-plus");

    private Original() {}

    /** The base's folder; it has no tokenizer. */
    public static Path base() {
        return TestData.committed(FOLDER + "base");
    }

    /** Heads by their folder's name. */
    public static Path heads(String name) {
        return TestData.any(FOLDER + name);
    }

    /** A golden file by its name without {@code .json}. */
    public static Json golden(String name) {
        return Json.read(TestData.any(FOLDER + name + ".json"));
    }

    /** The base copied into an empty folder, with other end tokens and another context. */
    public static Path variant(Path folder, List<Integer> ends, int context) {
        try {
            String config = Files.readString(base().resolve("config.json"))
                    .replaceFirst("\"eos_token_id\": *\\d+", "\"eos_token_id\": " + ends)
                    .replaceFirst("\"max_position_embeddings\": *\\d+", "\"max_position_embeddings\": " + context);
            Files.writeString(folder.resolve("config.json"), config);
            Files.copy(base().resolve("model.safetensors"), folder.resolve("model.safetensors"));
            return folder;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Gives a variant a tokenizer of bytes: an id below 256 is a byte, as byte-level BPE spells it, without merges. */
    public static Path withTokenizer(Path folder) {
        StringBuilder vocabulary = new StringBuilder();
        int extra = 256;
        for (int b = 0; b < 256; b++) {
            boolean printable = b >= '!' && b <= '~' || b >= 0xA1 && b <= 0xAC || b >= 0xAE && b <= 0xFF;
            int spelled = printable ? b : extra++;
            vocabulary.append(String.format("%s\"\\u%04x\": %d", b == 0 ? "" : ", ", spelled, b));
        }
        String json = "{\"version\": \"1.0\", \"added_tokens\": ["
                + addedToken(256, "<file>")
                + ", "
                + addedToken(257, "</file>")
                + "], \"normalizer\": null, \"pre_tokenizer\": {\"type\": \"ByteLevel\", \"add_prefix_space\": false, "
                + "\"trim_offsets\": true, \"use_regex\": true}, \"post_processor\": null, "
                + "\"decoder\": {\"type\": \"ByteLevel\", \"add_prefix_space\": true, \"trim_offsets\": true, "
                + "\"use_regex\": true}, \"model\": {\"type\": \"BPE\", \"dropout\": null, \"unk_token\": null, "
                + "\"continuing_subword_prefix\": null, \"end_of_word_suffix\": null, \"fuse_unk\": false, "
                + "\"byte_fallback\": false, \"vocab\": {"
                + vocabulary
                + "}, \"merges\": []}}";
        try {
            Files.writeString(folder.resolve("tokenizer.json"), json);
            return folder;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static String addedToken(int id, String text) {
        return "{\"id\": " + id + ", \"content\": \"" + text + "\", \"single_word\": false, \"lstrip\": false, "
                + "\"rstrip\": false, \"normalized\": false, \"special\": true}";
    }
}
