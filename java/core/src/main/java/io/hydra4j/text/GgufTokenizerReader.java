package io.hydra4j.text;

import io.hydra4j.format.Fields;
import io.hydra4j.format.GgufVocabulary;
import io.hydra4j.format.Utf8;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * Makes a tokenizer of the tables in a GGUF file's metadata: {@code gpt2} is byte-level BPE with merges, {@code llama}
 * is SentencePiece BPE with scores. Control tokens are special tokens, user-defined ones are found in the text like
 * them, and unused ones are not there.
 */
final class GgufTokenizerReader {
    private static final String PREFIX = "tokenizer.ggml.";
    private static final char SPACE_MARK = '\u2581';

    private static final long NORMAL = 1;
    private static final long UNKNOWN = 2;
    private static final long CONTROL = 3;
    private static final long USER_DEFINED = 4;
    private static final long UNUSED = 5;
    private static final long BYTE = 6;

    private final Fields fields;
    private final String[] tokens;
    private final long[] types;
    private final Map<String, Integer> vocabulary = new LinkedHashMap<>();
    private final List<AddedToken> added = new ArrayList<>();

    private GgufTokenizerReader(Fields fields) {
        this.fields = fields;
        this.tokens = fields.strings("tokens");
        if (tokens.length == 0 || tokens.length > TokenizerSpec.LARGEST_VOCABULARY) {
            throw fields.unfit("tokens", tokens.length + " tokens", "1 to " + TokenizerSpec.LARGEST_VOCABULARY);
        }
        this.types = types();
    }

    /**
     * @param file for messages
     * @param metadata the whole file's: whole numbers as Long, other numbers as Double, arrays as String[] and so on
     */
    static TokenizerSpec read(Path file, Map<String, ?> metadata) {
        Map<String, Object> own = new LinkedHashMap<>();
        metadata.forEach((key, value) -> {
            if (key.startsWith(PREFIX)) {
                own.put(key.substring(PREFIX.length()), value);
            }
        });
        Fields fields = new Fields(file, PREFIX, own);
        return switch (fields.string("model")) {
            case "gpt2" -> new GgufTokenizerReader(fields).byteLevel();
            case "llama" -> new GgufTokenizerReader(fields).sentencePiece();
            default -> throw fields.invalid("model", "\"gpt2\" or \"llama\"");
        };
    }

    private TokenizerSpec byteLevel() {
        GgufPreTokenizer kind = GgufPreTokenizer.of(fields);
        readTokens();
        String[] pairs = fields.strings("merges");
        List<TokenizerSpec.Merge> merges = new ArrayList<>(pairs.length);
        for (int i = 0; i < pairs.length; i++) {
            int space = pairs[i].indexOf(' ', 1);
            if (space < 0) {
                throw fields.invalid("merges[" + i + "]", pairs[i], "two tokens with a space between");
            }
            merges.add(new TokenizerSpec.Merge(pairs[i].substring(0, space), pairs[i].substring(space + 1)));
        }
        return spec(
                merges,
                null,
                kind.ignoreMerges(),
                kind.normalization(),
                PreTokenizerReader.read(new Fields(fields.file(), PREFIX + "pre.", kind.preTokenizer())),
                DecoderSpec.ofByteLevel(),
                kind.addsBegin());
    }

    private TokenizerSpec sentencePiece() {
        readTokens();
        double[] scores = fields.numbers("scores");
        if (scores.length != tokens.length) {
            throw fields.unfit("scores", scores.length + " scores", tokens.length + ", one for each token");
        }
        for (int id = 0; id < scores.length; id++) {
            if (!Double.isFinite(scores[id])) {
                throw fields.invalid("scores[" + id + "]", scores[id], "a finite number");
            }
        }
        boolean spacePrefix = fields.flag("add_space_prefix", true);
        String mark = String.valueOf(SPACE_MARK);
        Normalization.Step replace = Normalization.replace(" ", mark);
        return spec(
                new ScoredMerges(fields, vocabulary, scores).merges(),
                tokens[tokenId("unknown_token_id", 0)],
                false,
                new Normalization(spacePrefix ? List.of(Normalization.prepend(mark), replace) : List.of(replace)),
                PreTokenizer.NONE,
                new DecoderSpec(
                        false, List.of(new DecoderSpec.Replacement(mark, " ")), true, spacePrefix ? 1 : 0, ' ', -1),
                true);
    }

    private TokenizerSpec spec(
            List<TokenizerSpec.Merge> merges,
            String unknown,
            boolean ignoreMerges,
            Normalization normalization,
            PreTokenizer preTokenizer,
            DecoderSpec decoder,
            boolean addsBegin) {
        boolean bytes = decoder.byteFallback()
                && IntStream.range(0, 256).mapToObj(GgufVocabulary::byteToken).anyMatch(vocabulary::containsKey);
        return new TokenizerSpec(
                        fields.file().toString(),
                        vocabulary,
                        merges,
                        unknown,
                        unknown != null,
                        bytes,
                        ignoreMerges,
                        added,
                        normalization,
                        preTokenizer,
                        decoder,
                        around("add_bos_token", addsBegin, "bos_token_id", 1),
                        around("add_eos_token", false, "eos_token_id", 2))
                .checked(PREFIX + "tokens");
    }

    private int[] around(String flag, boolean otherwise, String id, int otherwiseId) {
        return fields.flag(flag, otherwise) ? new int[] {tokenId(id, otherwiseId)} : new int[0];
    }

    private int tokenId(String name, int otherwise) {
        int id =
                fields.has(name) || otherwise >= tokens.length ? fields.integer(name, 0, tokens.length - 1) : otherwise;
        if (types[id] == UNUSED) {
            throw fields.invalid(name, id, "a token that is not unused");
        }
        return id;
    }

    private long[] types() {
        long[] types = new long[tokens.length];
        if (!fields.has("token_type")) {
            Arrays.fill(types, NORMAL);
            for (String name : List.of("bos_token_id", "eos_token_id")) {
                if (fields.has(name)) {
                    types[fields.integer(name, 0, tokens.length - 1)] = CONTROL;
                }
            }
            return types;
        }
        long[] given = fields.longs("token_type");
        if (given.length != types.length) {
            throw fields.unfit("token_type", given.length + " types", types.length + ", one for each token");
        }
        for (int id = 0; id < given.length; id++) {
            if (given[id] < NORMAL || given[id] > BYTE) {
                throw fields.invalid("token_type[" + id + "]", given[id], "1 to 6");
            }
        }
        return given.clone();
    }

    private void readTokens() {
        for (int id = 0; id < tokens.length; id++) {
            String token = tokens[id];
            if (token.isEmpty()
                    || token.length() > TokenizerSpec.LONGEST_TOKEN
                    || token.indexOf(0) >= 0
                    || !Utf8.isWellFormed(token)) {
                throw fields.invalid(
                        "tokens[" + id + "]",
                        token,
                        "a text of 1 to " + TokenizerSpec.LONGEST_TOKEN + " characters without NUL");
            }
            if (types[id] == UNUSED) {
                continue;
            }
            Integer before = vocabulary.put(token, id);
            if (before != null) {
                throw fields.invalid(
                        "tokens[" + id + "]", token, "a token that is not there twice (id " + before + " has it)");
            }
            if (types[id] == CONTROL || types[id] == UNKNOWN || types[id] == USER_DEFINED) {
                added.add(AddedToken.literal(id, token, types[id] != USER_DEFINED));
            }
        }
    }
}
