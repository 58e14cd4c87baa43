package io.hydra4j.text;

import java.util.ArrayList;
import java.util.List;

/**
 * Finds added tokens in a text, as Hugging Face's tokenizers do: the longest of those that begin at the leftmost place,
 * first those that are meant literally in the text as it is, then, in each part between them, the others in what the
 * normalization makes of that part. Done in Java, for the native library ends the process where a token swallows white
 * space that is itself a token. Immutable and thread-safe.
 */
final class AddedTokens {
    private static final Places NOWHERE = (from, to) -> false;

    private final Normalization normalization;
    private final Pass literal;
    private final Pass normalized;

    /** What a text is divided into, in the order of the text. */
    interface Sink {
        /**
         * @param text normalised, not empty
         * @param first whether it is the very start of the whole text
         */
        void text(String text, boolean first);

        void token(int id);
    }

    /** Thrown where the normalised text is longer than was allowed. */
    static final class TooLong extends RuntimeException {
        private static final long serialVersionUID = 1L;

        TooLong() {
            super("the normalised text is too long", null, false, false);
        }
    }

    /**
     * @param tokens as {@link TokenizerSpec#addedTokens}; what the normalization makes of those that are normalised is
     *     not empty
     */
    AddedTokens(List<AddedToken> tokens, Normalization normalization) {
        this.normalization = normalization;
        List<AddedToken> literals = new ArrayList<>();
        List<AddedToken> others = new ArrayList<>();
        List<String> texts = new ArrayList<>();
        for (AddedToken token : tokens) {
            if (token.normalized()) {
                others.add(token);
                texts.add(normalization.apply(token.content(), Integer.MAX_VALUE));
            } else {
                literals.add(token);
            }
        }
        literal = new Pass(literals, literals.stream().map(AddedToken::content).toList());
        normalized = new Pass(others, texts);
    }

    /**
     * Divides a text.
     *
     * @param special whether special tokens are found in its own parts; the others always are, in all parts
     * @param most UTF-16 units that may come of it in all
     * @throws TooLong if more would come
     */
    void divide(PromptText text, boolean special, int most, Sink sink) {
        int[] left = {most};
        literal.divide(text.text(), special ? text::isOwn : NOWHERE, new Parts() {
            @Override
            public void text(int from, int to) {
                PromptText part = text.substring(from, to);
                String result = normalization.apply(part.text(), left[0]);
                if (result == null) {
                    throw new TooLong();
                }
                left[0] -= result.length();
                normalized.divide(result, special ? ownIn(part, result) : NOWHERE, new Parts() {
                    @Override
                    public void text(int start, int end) {
                        sink.text(result.substring(start, end), from == 0 && start == 0);
                    }

                    @Override
                    public void token(int id) {
                        sink.token(id);
                    }
                });
            }

            @Override
            public void token(int id) {
                sink.token(id);
            }
        });
    }

    /** Where what the normalization has made of a text is of its own parts. */
    private Places ownIn(PromptText part, String result) {
        if (part.isOwn(0, part.length())) {
            return (from, to) -> true;
        }
        return new Places() {
            private int[] borders;

            @Override
            public boolean include(int from, int to) {
                if (borders == null) {
                    borders = borders(part, result);
                }
                int first = at(from);
                return first % 2 == 0 && first == at(to - 1);
            }

            private int at(int place) {
                int count = 0;
                while (count < borders.length && borders[count] <= place) {
                    count++;
                }
                return count;
            }
        };
    }

    /** Own parts that cannot be told from foreign ones, as the normalization has made one character of both, count as foreign. */
    private int[] borders(PromptText part, String result) {
        int[] borders = part.borders();
        for (int i = 0; i < borders.length; i++) {
            String before = normalization.apply(part.text().substring(0, borders[i]), Integer.MAX_VALUE);
            if (!result.startsWith(before)) {
                return new int[] {0};
            }
            borders[i] = borders[i] == 0 ? 0 : before.length();
        }
        return borders;
    }

    /** Places of a text. */
    @FunctionalInterface
    private interface Places {
        boolean include(int from, int to);
    }

    /** What a pass divides its text into, in order. */
    private interface Parts {
        void text(int from, int to);

        void token(int id);
    }

    /** The tokens that are looked for together. */
    private static final class Pass {
        private final List<AddedToken> tokens;
        private final List<String> texts;
        private final LongestMatches matches;

        Pass(List<AddedToken> tokens, List<String> texts) {
            this.tokens = tokens;
            this.texts = texts;
            this.matches = new LongestMatches(texts);
        }

        void divide(String text, Places special, Parts parts) {
            int from = 0;
            int spacesEnd = 0;
            int[] found = tokens.isEmpty() ? new int[0] : matches.in(text);
            for (int at = 0; at < found.length; ) {
                if (found[at] < 0) {
                    at++;
                    continue;
                }
                AddedToken token = tokens.get(found[at]);
                int start = at;
                int end = at + texts.get(found[at]).length();
                // Whatever becomes of this one, the next begins after it.
                at = end;
                if (token.special() && !special.include(start, end)
                        || token.singleWord() && !isWord(text, start, end)) {
                    continue;
                }
                while (token.lstrip() && start > from && isSpace(text.charAt(start - 1))) {
                    start--;
                }
                start = token.lstrip() ? Math.max(start, from) : start;
                if (token.rstrip()) {
                    spacesEnd = Math.max(spacesEnd, end);
                    while (spacesEnd < text.length() && isSpace(text.charAt(spacesEnd))) {
                        spacesEnd++;
                    }
                    end = spacesEnd;
                }
                if (from < start) {
                    parts.text(from, start);
                }
                parts.token(token.id());
                from = Math.max(start, end);
            }
            if (from < text.length()) {
                parts.text(from, text.length());
            }
        }

        private static boolean isWord(String text, int start, int end) {
            return (start == 0 || !isWordPart(text.codePointBefore(start)))
                    && (end == text.length() || !isWordPart(text.codePointAt(end)));
        }

        /** Unicode's property White_Space; none of these characters is beyond U+FFFF. */
        private static boolean isSpace(char c) {
            return c >= '\t' && c <= '\r' || c == '\u0085' || Character.isSpaceChar(c);
        }

        /** Unicode's definition of {@code \w}. */
        private static boolean isWordPart(int c) {
            return switch (Character.getType(c)) {
                case Character.NON_SPACING_MARK,
                        Character.ENCLOSING_MARK,
                        Character.COMBINING_SPACING_MARK,
                        Character.DECIMAL_DIGIT_NUMBER,
                        Character.CONNECTOR_PUNCTUATION -> true;
                default -> Character.isAlphabetic(c) || c == 0x200C || c == 0x200D;
            };
        }
    }
}
