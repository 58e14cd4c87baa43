package io.hydra4j.text;

import java.util.Arrays;
import java.util.Objects;

/**
 * A text that knows where its parts come from: <em>own</em> parts were written by whoever made the model (a chat template, its
 * begin of text), <em>foreign</em> ones were handed in, such as what a user has typed. A special token counts in own parts alone;
 * what looks like one in a foreign part, or across the border of one, is text like any other ({@link Tokenizer#encode(PromptText,
 * EncodeOptions)}). Immutable; two are equal if their characters are, wherever they come from.
 */
public final class PromptText implements Comparable<PromptText> {
    /** No text. */
    public static final PromptText EMPTY = new PromptText("", new int[0]);

    private static final int[] FOREIGN = {0};

    private final String text;
    /** Ascending places where own and foreign parts change, the first one from own to foreign. */
    private final int[] borders;

    private PromptText(String text, int[] borders) {
        this.text = text;
        this.borders = borders;
    }

    /**
     * {@return a text that is an own part as a whole}
     *
     * @param text any text
     */
    public static PromptText own(String text) {
        return new PromptText(Objects.requireNonNull(text, "text is null: give a text"), EMPTY.borders);
    }

    /**
     * {@return a text that is a foreign part as a whole}
     *
     * @param text any text
     */
    public static PromptText foreign(String text) {
        return new PromptText(Objects.requireNonNull(text, "text is null: give a text"), FOREIGN);
    }

    /** {@return the characters} */
    public String text() {
        return text;
    }

    /** {@return the number of UTF-16 units} */
    public int length() {
        return text.length();
    }

    /** {@return whether there are none} */
    public boolean isEmpty() {
        return text.isEmpty();
    }

    /**
     * {@return whether a UTF-16 unit belongs to a foreign part}
     *
     * @param index 0 to {@link #length} less 1
     */
    public boolean isForeign(int index) {
        return ordinal(index) % 2 == 1;
    }

    /**
     * {@return whether some UTF-16 units belong to own parts, all of them}
     *
     * @param from the first
     * @param to the one after the last
     */
    public boolean isOwn(int from, int to) {
        return from >= to || !isForeign(from) && ordinal(from) == ordinal(to - 1);
    }

    /** How many borders are at this place or before it. */
    private int ordinal(int index) {
        int found = Arrays.binarySearch(borders, index);
        return found >= 0 ? found + 1 : -found - 1;
    }

    /** {@return the places at which own and foreign parts change, ascending, the first from own to foreign} A copy. */
    public int[] borders() {
        return borders.clone();
    }

    /**
     * {@return a part of it, which knows where its own parts come from}
     *
     * @param from the first UTF-16 unit
     * @param to the one after the last
     * @throws IndexOutOfBoundsException if they are not in order, or beyond the text
     */
    public PromptText substring(int from, int to) {
        if (from == 0 && to == length()) {
            return this;
        }
        String part = text.substring(from, to);
        if (borders.length == 0 || part.isEmpty()) {
            return part.isEmpty() ? EMPTY : new PromptText(part, EMPTY.borders);
        }
        int first = ordinal(from);
        int last = ordinal(to - 1);
        int extra = first % 2;
        int[] within = new int[extra + last - first];
        for (int i = extra; i < within.length; i++) {
            within[i] = borders[first + i - extra] - from;
        }
        return new PromptText(part, within);
    }

    /** Other characters, as many as these, that come from where these do. */
    PromptText withCharacters(String characters) {
        return new PromptText(characters, borders);
    }

    @Override
    public int compareTo(PromptText other) {
        return text.compareTo(other.text);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof PromptText prompt && text.equals(prompt.text);
    }

    @Override
    public int hashCode() {
        return text.hashCode();
    }

    /** {@return the characters} */
    @Override
    public String toString() {
        return text;
    }

    /** Puts parts together. Not thread-safe. */
    public static final class Builder {
        private final StringBuilder text = new StringBuilder();
        private int[] borders = new int[4];
        private int count;

        /** A text without parts. */
        public Builder() {}

        /**
         * Appends a text, whose parts stay what they are.
         *
         * @param part any text
         * @return this builder
         */
        public Builder append(PromptText part) {
            if (part.isEmpty()) {
                return this;
            }
            int at = text.length();
            boolean startsForeign = part.isForeign(0);
            if (startsForeign != (count % 2 == 1)) {
                border(at);
            }
            for (int i = startsForeign ? 1 : 0; i < part.borders.length; i++) {
                border(at + part.borders[i]);
            }
            text.append(part.text);
            return this;
        }

        /**
         * Appends an own or a foreign part.
         *
         * @param part any text
         * @param foreign whether it is a foreign part
         * @return this builder
         */
        public Builder append(String part, boolean foreign) {
            if (!part.isEmpty()) {
                if (foreign != (count % 2 == 1)) {
                    border(text.length());
                }
                text.append(part);
            }
            return this;
        }

        private void border(int at) {
            if (count == borders.length) {
                borders = Arrays.copyOf(borders, 2 * count);
            }
            borders[count++] = at;
        }

        /** {@return the number of UTF-16 units so far} */
        public int length() {
            return text.length();
        }

        /** {@return the text so far} */
        public PromptText build() {
            return text.length() == 0 ? EMPTY : new PromptText(text.toString(), Arrays.copyOf(borders, count));
        }
    }
}
