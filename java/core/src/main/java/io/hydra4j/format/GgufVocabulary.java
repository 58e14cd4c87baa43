package io.hydra4j.format;

import io.hydra4j.FormatException;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Set;

/**
 * Checks the vocabulary tables that a GGUF file carries ({@code tokenizer.ggml.*}), so that a tokenizer can be built from them
 * without surprises: one entry for each token in every table, no token twice, none empty or with a NUL, kinds and ids in
 * range, finite scores, and for SentencePiece kinds no hole among the 256 byte tokens.
 */
public final class GgufVocabulary {
    private static final String PREFIX = "tokenizer.ggml.";
    private static final String TOKENS = PREFIX + "tokens";
    private static final String TOKEN_TYPES = PREFIX + "token_type";
    private static final String SCORES = PREFIX + "scores";
    private static final String MERGES = PREFIX + "merges";
    /** The largest kind of a token: 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte. */
    private static final int MAX_TOKEN_TYPE = 6;

    /** The most ids of one special key, such as the end of the text. */
    private static final int MAX_SPECIAL_IDS = 64;

    private static final int BYTES = 256;

    private GgufVocabulary() {}

    /**
     * Checks the tables that are there; a file without any is fine.
     *
     * @param metadata the file's metadata
     * @param vocabulary tokens of the model
     * @throws FormatException.InvalidValue if a table does not fit the vocabulary or makes no sense
     * @throws FormatException.MissingField if a SentencePiece vocabulary has neither byte tokens nor an unknown token
     */
    public static void check(Fields metadata, int vocabulary) {
        for (String name : metadata.names()) {
            if (name.startsWith(PREFIX) && name.endsWith("_token_id")) {
                metadata.ids(name, vocabulary, MAX_SPECIAL_IDS);
            }
        }
        if (metadata.has(TOKENS)) {
            var tokens = metadata.strings(TOKENS);
            checkLength(metadata, TOKENS, tokens.length, vocabulary);
            var distinct = checkTokens(metadata.file(), tokens);
            if (metadata.string(PREFIX + "model", "").equals("llama")) {
                checkBytes(metadata, distinct);
            }
        }
        if (metadata.has(TOKEN_TYPES)) {
            checkTable(metadata, TOKEN_TYPES, vocabulary, 1, MAX_TOKEN_TYPE);
        }
        if (metadata.has(SCORES)) {
            checkTable(metadata, SCORES, vocabulary, -Float.MAX_VALUE, Float.MAX_VALUE);
        }
        if (metadata.has(MERGES)) {
            checkMerges(metadata);
        }
    }

    private static Set<String> checkTokens(Path file, String[] tokens) {
        var distinct = new HashSet<String>(tokens.length * 2);
        for (int id = 0; id < tokens.length; id++) {
            if (tokens[id].isEmpty() || tokens[id].indexOf('\0') >= 0) {
                throw new FormatException.InvalidValue(
                        file,
                        entry(TOKENS, id),
                        tokens[id].isEmpty() ? "an empty token" : "a token with a NUL",
                        "a text");
            }
            if (!distinct.add(tokens[id])) {
                throw new FormatException.InvalidValue(
                        file,
                        entry(TOKENS, id),
                        '"' + tokens[id] + "\", a token that an earlier id has",
                        "distinct tokens");
            }
        }
        return distinct;
    }

    private static void checkBytes(Fields metadata, Set<String> tokens) {
        int bytes = 0;
        for (int value = 0; value < BYTES; value++) {
            bytes += tokens.contains(byteToken(value)) ? 1 : 0;
        }
        if (bytes != 0 && bytes != BYTES) {
            throw new FormatException.InvalidValue(
                    metadata.file(), TOKENS, bytes + " byte tokens", "all 256, from <0x00> to <0xFF>, or none");
        }
        if (bytes == 0 && !metadata.has(PREFIX + "unknown_token_id")) {
            throw new FormatException.MissingField(
                    metadata.file(), PREFIX + "unknown_token_id", "an id, for there are no byte tokens");
        }
    }

    /** The token that stands for one byte, 0 to 255, where bytes have tokens of their own. */
    public static String byteToken(int value) {
        var digits = "0123456789ABCDEF";
        return "<0x" + digits.charAt(value >> 4) + digits.charAt(value & 15) + ">";
    }

    private static void checkTable(Fields metadata, String name, int vocabulary, double min, double max) {
        var table = metadata.numbers(name);
        checkLength(metadata, name, table.length, vocabulary);
        for (int id = 0; id < table.length; id++) {
            if (!(table[id] >= min && table[id] <= max)) {
                throw new FormatException.InvalidValue(
                        metadata.file(), entry(name, id), table[id], "a number from " + min + " to " + max);
            }
        }
    }

    private static void checkMerges(Fields metadata) {
        var merges = metadata.strings(MERGES);
        for (int i = 0; i < merges.length; i++) {
            int space = merges[i].indexOf(' ', 1);
            if (space < 0 || space == merges[i].length() - 1) {
                throw new FormatException.InvalidValue(
                        metadata.file(), entry(MERGES, i), '"' + merges[i] + '"', "two tokens with a space between");
            }
        }
    }

    private static String entry(String table, int index) {
        return table + "[" + index + "]";
    }

    private static void checkLength(Fields metadata, String name, int length, int vocabulary) {
        if (length != vocabulary) {
            throw new FormatException.InvalidValue(
                    metadata.file(), name, length + " entries", vocabulary + ", one for each token of the model");
        }
    }
}
