package io.hydra4j.text;

import io.hydra4j.format.GgufVocabulary;
import java.util.List;
import java.util.Map;

/**
 * A tokenizer as read from a file and checked, in the terms of Hugging Face's {@code tokenizer.json}; the only thing
 * that the encoder and the decoder are made of, whichever file it came from.
 *
 * @param file the file, for messages
 * @param vocabulary the model's tokens and their ids
 * @param merges pairs of tokens, best first; both and what they make are in the vocabulary
 * @param unknownToken what stands for text that has no token, or null
 * @param fuseUnknown one unknown token for several in a row
 * @param byteFallback characters that have no token become tokens {@code <0x00>} to {@code <0xFF>}
 * @param ignoreMerges a word that is a token as a whole is taken so
 * @param addedTokens by id
 * @param normalization what is done to text first
 * @param preTokenizer how text is cut into words
 * @param decoder how tokens become text
 * @param prefix ids that are put before every text
 * @param suffix ids that are put after every text
 */
record TokenizerSpec(
        String file,
        Map<String, Integer> vocabulary,
        List<Merge> merges,
        String unknownToken,
        boolean fuseUnknown,
        boolean byteFallback,
        boolean ignoreMerges,
        List<AddedToken> addedTokens,
        Normalization normalization,
        PreTokenizer preTokenizer,
        DecoderSpec decoder,
        int[] prefix,
        int[] suffix) {

    /** Ids at or above this make no sense: the largest published vocabularies have some 260,000. */
    static final int LARGEST_VOCABULARY = 1 << 22;

    /** UTF-16 units of one token; the longest published ones have some hundreds. */
    static final int LONGEST_TOKEN = 4096;

    /** The published tokenizers have at most some thousands. */
    static final int MOST_ADDED_TOKENS = 10_000;

    /** UTF-16 units of all added tokens. */
    private static final int MOST_ADDED_TEXT = 1 << 20;

    /** Two neighbouring tokens that become one. */
    record Merge(String left, String right) {}

    /**
     * Checks what a native library would fall over later.
     *
     * @param field where the model stands in the file
     * @return this
     */
    TokenizerSpec checked(String field) {
        checkAdded(field);
        if (unknownToken != null && !vocabulary.containsKey(unknownToken)) {
            throw new TokenizerException(
                    file, field + " (unknown token)", quoted(unknownToken), "a token of the table");
        }
        for (Merge merge : merges) {
            if (merge.left.isEmpty()
                    || merge.right.isEmpty()
                    || !vocabulary.containsKey(merge.left)
                    || !vocabulary.containsKey(merge.right)
                    || !vocabulary.containsKey(merge.left + merge.right)) {
                throw new TokenizerException(
                        file,
                        field + " (merges)",
                        quoted(merge.left + " " + merge.right),
                        "two tokens of the table that together are a token of the table");
            }
        }
        for (int value = 0; byteFallback && value < 256; value++) {
            String token = GgufVocabulary.byteToken(value);
            if (!vocabulary.containsKey(token)) {
                throw new TokenizerException(
                        file, field + " (tokens)", "no " + token, "a token for each of the 256 bytes");
            }
        }
        return this;
    }

    private void checkAdded(String field) {
        long length = addedTokens.stream()
                .mapToLong(token -> token.content().length())
                .sum();
        if (addedTokens.size() > MOST_ADDED_TOKENS || length > MOST_ADDED_TEXT) {
            throw new TokenizerException(
                    file,
                    field + " (added tokens)",
                    addedTokens.size() + " tokens of " + length + " characters that are looked for in the text",
                    "at most " + MOST_ADDED_TOKENS + " of " + MOST_ADDED_TEXT);
        }
        for (AddedToken token : addedTokens) {
            if (token.normalized()
                    && normalization.apply(token.content(), Integer.MAX_VALUE).isEmpty()) {
                throw new TokenizerException(
                        file,
                        field + " (added tokens)",
                        quoted(token.content()) + ", of which the normalizer leaves nothing",
                        "a token that can be found in a normalised text, or \"normalized\": false");
            }
        }
    }

    static String quoted(String text) {
        return '"' + text + '"';
    }
}
