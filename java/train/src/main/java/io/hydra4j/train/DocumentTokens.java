package io.hydra4j.train;

import io.hydra4j.text.EncodeOptions;
import io.hydra4j.text.Tokenizer;
import java.util.ArrayList;
import java.util.List;

/** Makes tokens of documents, and sequences of tokens. Immutable. */
final class DocumentTokens {
    /** Texts are as they are: what looks like a special token in them is none. */
    private static final EncodeOptions TEXT = EncodeOptions.TEXT.withBeginAndEnd(true);
    /** Characters that are encoded at a time. */
    private static final int PIECE = 1 << 16;

    private final Tokenizer tokenizer;
    private final int vocabulary;
    private final int[] added;

    /** @param vocabulary the base's, which ids must be below */
    DocumentTokens(Tokenizer tokenizer, int vocabulary) {
        this.tokenizer = tokenizer;
        this.vocabulary = vocabulary;
        added = tokenizer.encode("", TEXT);
    }

    /** The tokens that begin every text. */
    int[] added() {
        return added;
    }

    /**
     * The tokens of a document, in parts that are encoded by themselves.
     *
     * @throws TrainingException.InvalidData if the document is no text, and cannot become tokens
     */
    List<TokenText> encode(Document document) {
        if (document instanceof Document.Text text) {
            return encode(text.text());
        }
        if (document instanceof Document.Written written) {
            for (int token : written.tokens()) {
                if (token >= vocabulary) {
                    throw written.where()
                            .invalid("tokens: found " + token + ", expected ids below " + vocabulary
                                    + ", the vocabulary of the model: give what this model has written");
                }
            }
            return List.of(TokenText.from(written.tokens(), written.prompt()));
        }
        throw ((Document.Chat) document)
                .where()
                .invalid("it has chat turns, but this version renders no chat template: give lines with a field"
                        + " text, rendered as the model has it");
    }

    private List<TokenText> encode(String text) {
        List<TokenText> parts = new ArrayList<>();
        int most = Math.min(PIECE, tokenizer.longestText());
        for (int from = 0; from < text.length(); ) {
            int end = Math.min(text.length(), from + most);
            int line = end < text.length() ? text.lastIndexOf('\n', end - 1) : -1;
            end = line > from ? line + 1 : end;
            if (end < text.length() && Character.isHighSurrogate(text.charAt(end - 1)) && end - from > 1) {
                end--;
            }
            int[] tokens = tokenizer.encode(text.substring(from, end), TEXT);
            parts.add(TokenText.from(tokens, added.length));
            from = end;
        }
        return parts;
    }

    /**
     * Cuts a text into sequences of at most so many tokens, each with the tokens that begin a text.
     *
     * @param least sequences of fewer tokens are left out
     */
    List<TokenText> sequences(TokenText text, int longest, int least) {
        List<TokenText> sequences = new ArrayList<>();
        int length = text.tokens().length;
        int begin = Math.min(longest, length);
        if (begin >= least) {
            sequences.add(text.part(0, begin, new int[0]));
        }
        int step = Math.max(1, longest - added.length);
        for (int from = begin; from < length; from += step) {
            int to = Math.min(length, from + step);
            if (to - from + added.length >= least) {
                sequences.add(text.part(from, to, added));
            }
        }
        return sequences;
    }
}
