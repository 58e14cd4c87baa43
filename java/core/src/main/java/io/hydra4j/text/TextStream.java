package io.hydra4j.text;

/**
 * Turns tokens into text while they come. What {@link #push} returns is final: it is never taken back, never ends
 * within a character, and all of it together with {@link #finish} is exactly what {@link Tokenizer#decode} makes of
 * all the ids. So text is held back while a later token could change it: the bytes of a character that is not
 * complete, and, in vocabularies with byte tokens (SentencePiece), a run of byte tokens until it ends or can no longer
 * be UTF-8. The cost of a push depends on its own ids only.
 *
 * <p>Some tokenizers drop a space at the very start of a text. To stream the continuation of a prompt as it stands
 * after the prompt, push the prompt's ids first and throw away what they return.
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
            if (vocabulary.has(id) && !(skipSpecial && vocabulary.isSpecial(id))) {
                decoder.accept(id, out);
            }
        }
        return out.toString();
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
