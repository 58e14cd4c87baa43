package io.hydra4j.text.jinja;

import io.hydra4j.text.PromptText;

/** Looking for texts in texts, in a time that is linear in both. */
final class Search {
    private static final int CHARACTERS_A_STEP = 32;
    /** Longer parts are looked for by Knuth, Morris and Pratt's algorithm: the library's own takes the product of the lengths. */
    private static final int SHORT = 16;

    private Search() {}

    /** As {@link String#indexOf(String, int)}. */
    static int indexOf(PromptText text, PromptText part, int from, Budget budget) {
        int found = part.length() > SHORT
                ? linear(text.text(), part.text(), from, budget)
                : text.text().indexOf(part.text(), from);
        budget.steps(Math.max(0, (found < 0 ? text.length() : found) - from) / CHARACTERS_A_STEP);
        return found;
    }

    /** As {@link String#lastIndexOf(String, int)}. */
    static int lastIndexOf(PromptText text, PromptText part, int from, Budget budget) {
        if (part.length() > SHORT) {
            throw new Failure("a part that is looked for from the end is longer than " + SHORT + " characters");
        }
        int found = text.text().lastIndexOf(part.text(), from);
        budget.steps(Math.max(0, from - Math.max(0, found)) / CHARACTERS_A_STEP);
        return found;
    }

    private static int linear(String text, String part, int from, Budget budget) {
        if (part.length() > text.length() - from) {
            return -1;
        }
        budget.characters(2L * part.length());
        budget.steps(part.length() / CHARACTERS_A_STEP);
        int[] borders = new int[part.length() + 1];
        borders[0] = -1;
        for (int i = 0, border = -1; i < part.length(); ) {
            while (border >= 0 && part.charAt(i) != part.charAt(border)) {
                border = borders[border];
            }
            borders[++i] = ++border;
        }
        int matched = 0;
        for (int at = from; at < text.length(); at++) {
            while (matched >= 0 && text.charAt(at) != part.charAt(matched)) {
                matched = borders[matched];
            }
            if (++matched == part.length()) {
                return at + 1 - matched;
            }
        }
        return -1;
    }
}
