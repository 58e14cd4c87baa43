package io.hydra4j.train;

import io.hydra4j.text.ChatTemplates;
import io.hydra4j.text.EncodeOptions;
import io.hydra4j.text.Tokenizer;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;

/** Makes tokens of documents, and sequences of tokens. Thread-safe. */
final class DocumentTokens {
    /** Texts are as they are: what looks like a special token in them is none. */
    private static final EncodeOptions TEXT = EncodeOptions.TEXT.withBeginAndEnd(true);
    /** Characters that are encoded at a time. */
    private static final int PIECE = 1 << 16;

    private final Tokenizer tokenizer;
    private final int vocabulary;
    private final int[] added;
    private final Supplier<ChatTemplates> templates;
    /** Null until there is a conversation. */
    private ChatRendering chats;

    /**
     * @param vocabulary the base's, which ids must be below
     * @param templates the base's chat templates, asked for when there is a conversation
     */
    DocumentTokens(Tokenizer tokenizer, int vocabulary, Supplier<ChatTemplates> templates) {
        this.tokenizer = tokenizer;
        this.vocabulary = vocabulary;
        this.templates = templates;
        added = tokenizer.encode("", TEXT);
    }

    /** The tokens that begin every text. */
    int[] added() {
        return added;
    }

    /**
     * The tokens of a document, in parts that are encoded by themselves.
     *
     * @throws TrainingException.InvalidData if the document cannot become tokens
     * @throws io.hydra4j.ChatTemplateException if it is a conversation, and the model has no chat template
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
        TokenText chat = chats().encode((Document.Chat) document);
        return chat == null ? List.of() : List.of(chat);
    }

    private synchronized ChatRendering chats() {
        if (chats == null) {
            chats = new ChatRendering(templates.get(), tokenizer);
        }
        return chats;
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
