package io.hydra4j.text;

import java.util.Collection;
import java.util.List;

/**
 * Ends a text at the first stop string, while the text comes in pieces. Text is held back as long as it may still
 * become a stop string, so that nothing is given out that would have to be taken back. How the text is divided into
 * pieces makes no difference.
 *
 * <p>The stop string that is complete first ends the text; if several are complete with the same character, it is the
 * longest of them. The text before it is given out, the stop string itself and what follows it are not. The cost of a
 * character is constant on average, for each stop string.
 *
 * <p>Not thread-safe; made for one text.
 */
public final class StopStrings {
    private final List<Pattern> patterns;
    private final StringBuilder held = new StringBuilder();
    private String matched;
    private boolean finished;

    /** One stop string and how much of it the text ends with (Knuth, Morris and Pratt). */
    private static final class Pattern {
        private final String text;
        private final int[] borders;
        private int seen;

        Pattern(String text) {
            this.text = text;
            borders = new int[text.length() + 1];
            borders[0] = -1;
            for (int i = 0, border = -1; i < text.length(); ) {
                while (border >= 0 && text.charAt(i) != text.charAt(border)) {
                    border = borders[border];
                }
                borders[++i] = ++border;
            }
        }

        boolean accept(char c) {
            while (seen >= 0 && text.charAt(seen) != c) {
                seen = borders[seen];
            }
            seen++;
            return seen == text.length();
        }
    }

    /**
     * @param stops the stop strings; none is fine, then all text passes
     * @throws IllegalArgumentException if one of them is empty
     */
    public StopStrings(Collection<String> stops) {
        if (stops.stream().anyMatch(String::isEmpty)) {
            throw new IllegalArgumentException("a stop string is empty; it would end every text before it begins");
        }
        patterns = stops.stream().distinct().map(Pattern::new).toList();
    }

    /**
     * Takes the next piece of the text.
     *
     * @param text any piece, also an empty one; after a stop string it is ignored
     * @return the text that cannot become part of a stop string any more and was not given out before, possibly empty
     * @throws IllegalStateException after {@link #finish}
     */
    public String push(String text) {
        requireOpen();
        for (int i = 0; i < text.length() && matched == null; i++) {
            held.append(text.charAt(i));
            accept(text.charAt(i));
        }
        if (matched != null) {
            return release(held.length());
        }
        int possible = 0;
        for (Pattern pattern : patterns) {
            possible = Math.max(possible, pattern.seen);
        }
        return release(held.length() - possible);
    }

    /** @return whether a stop string was found; the text is then complete */
    public boolean stopped() {
        return matched != null;
    }

    /**
     * Ends the text.
     *
     * @return what was held back and has not become a stop string, possibly empty
     * @throws IllegalStateException when called twice
     */
    public String finish() {
        requireOpen();
        finished = true;
        return release(held.length());
    }

    private void accept(char c) {
        for (Pattern pattern : patterns) {
            if (pattern.accept(c) && (matched == null || pattern.text.length() > matched.length())) {
                matched = pattern.text;
            }
        }
        if (matched != null) {
            held.setLength(held.length() - matched.length());
        }
    }

    private String release(int length) {
        String released = held.substring(0, length);
        held.delete(0, length);
        return released;
    }

    private void requireOpen() {
        if (finished) {
            throw new IllegalStateException("the text is finished");
        }
    }
}
