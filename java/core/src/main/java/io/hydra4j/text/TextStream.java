package io.hydra4j.text;

/**
 * Turns tokens into text while they come. What {@link #push} returns is final: it is never taken back, never ends
 * within a character, and all of it together with {@link #finish} is exactly what {@link Tokenizer#decode} makes of
 * all the ids. So text is held back while a later token could change it: the bytes of a character that is not
 * complete, and, in vocabularies with byte tokens (SentencePiece), a run of byte tokens until it ends or can no longer
 * be UTF-8. The cost of a push depends on its own ids only.
 *
 * <p>Some tokenizers drop a space at the very start of a text. To stream the continuation of a prompt as it stands
 * after the prompt, call {@link #follow} first.
 *
 * <p>Not thread-safe. Needs no closing, and goes on working when its tokenizer has been closed.
 */
public final class TextStream {
    private final Vocabulary vocabulary;
    private final TokenDecoder decoder;
    private final boolean skipSpecial;
    private boolean finished;

    TextStream(Vocabulary vocabulary, boolean skipSpecial) {
        this.vocabulary = vocabulary;
        this.decoder = vocabulary.newDecoder();
        this.skipSpecial = skipSpecial;
    }

    /**
     * Takes the next tokens.
     *
     * @param ids token ids; those that the tokenizer does not have stand for nothing
     * @return the text that is certain now and was not returned before, possibly empty
     * @throws IllegalStateException after {@link #finish}
     */
    public String push(int... ids) {
        requireOpen();
        StringBuilder out = new StringBuilder();
        for (int id : ids) {
            accept(id, out);
        }
        return out.toString();
    }

    /**
     * Lets the text continue these tokens, whose own text is not given out: what is pushed next reads as it does after them. Only as
     * many of them are decoded as that depends on.
     *
     * @param ids token ids; those that the tokenizer does not have stand for nothing
     * @throws IllegalStateException after {@link #finish}
     */
    public void follow(int... ids) {
        requireOpen();
        StringBuilder dropped = new StringBuilder();
        int start = 0;
        while (start < ids.length && decoder.isAtStart()) {
            accept(ids[start++], dropped);
        }
        int from = ids.length;
        while (from > start && !(isText(ids[from - 1]) && decoder.isBoundary(ids[from - 1]))) {
            from--;
        }
        for (int i = Math.max(start, from - 1); i < ids.length; i++) {
            accept(ids[i], dropped);
        }
    }

    private boolean isText(int id) {
        return vocabulary.has(id) && !(skipSpecial && vocabulary.isSpecial(id));
    }

    private void accept(int id, StringBuilder out) {
        if (isText(id)) {
            decoder.accept(id, out);
        }
    }

    /**
     * Ends the text.
     *
     * @return what was held back, possibly empty; an incomplete character becomes U+FFFD
     * @throws IllegalStateException when called twice
     */
    public String finish() {
        requireOpen();
        finished = true;
        StringBuilder out = new StringBuilder();
        decoder.finish(out);
        return out.toString();
    }

    private void requireOpen() {
        if (finished) {
            throw new IllegalStateException("this text stream is finished");
        }
    }
}
