package io.hydra4j.text;

/** How {@link Tokenizer#encode(String, EncodeOptions)} encodes a text. Immutable. */
public final class EncodeOptions {
    /**
     * A complete prompt from a trusted template: the tokens that the tokenizer adds are put around it, and special tokens
     * that are written in it are recognised.
     */
    public static final EncodeOptions PROMPT = new EncodeOptions(true, true);

    /**
     * Text of any origin, such as what a user has typed, as a part of a prompt: nothing is put around it, and what looks
     * like a special token ({@code <|im_end|>}) is text like any other, so that it cannot end the user's turn or begin
     * another. Added tokens that are not special (such as {@code <think>} of some models) are recognised all the same, as
     * the model learned them as parts of text.
     */
    public static final EncodeOptions TEXT = new EncodeOptions(false, false);

    private final boolean beginAndEnd;
    private final boolean specialTokens;

    private EncodeOptions(boolean beginAndEnd, boolean specialTokens) {
        this.beginAndEnd = beginAndEnd;
        this.specialTokens = specialTokens;
    }

    /**
     * {@return these options, with or without the tokens around the text that the tokenizer adds, such as the begin of text}
     *
     * @param added whether the tokenizer's own tokens come around the text
     */
    public EncodeOptions withBeginAndEnd(boolean added) {
        return new EncodeOptions(added, specialTokens);
    }

    /**
     * {@return these options, with special tokens that are written in the text recognised, or taken as text}
     *
     * @param recognised whether the text of a special token becomes that token
     */
    public EncodeOptions withSpecialTokens(boolean recognised) {
        return new EncodeOptions(beginAndEnd, recognised);
    }

    /** @return whether the tokens that the tokenizer adds are put around the text */
    public boolean beginAndEnd() {
        return beginAndEnd;
    }

    /** @return whether special tokens that are written in the text are recognised */
    public boolean specialTokens() {
        return specialTokens;
    }
}
