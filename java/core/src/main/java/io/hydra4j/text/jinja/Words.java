package io.hydra4j.text.jinja;

import io.hydra4j.text.PromptText;
import java.util.ArrayList;
import java.util.List;

/** Texts divided at white space. */
final class Words {
    private Words() {}

    /** Divides so many times at most; what is left keeps the white space at its end. */
    static List<Object> split(PromptText text, long times, Budget budget) {
        budget.characters(text.length());
        List<Object> words = new ArrayList<>();
        for (int at = start(text, 0); at < text.length(); ) {
            budget.elements(1);
            int end = words.size() == times ? text.length() : end(text, at);
            words.add(text.substring(at, end));
            at = start(text, end);
        }
        return words;
    }

    /** As {@link #split}, from the end; what is left keeps the white space at its start. */
    static List<Object> splitFromEnd(PromptText text, long times, Budget budget) {
        List<Object> all = split(text, Long.MAX_VALUE, budget);
        if (all.size() <= times) {
            return all;
        }
        List<Object> words = new ArrayList<>(all.subList(all.size() - (int) times, all.size()));
        int to = text.length();
        for (int i = words.size() - 1; i >= 0; i--) {
            to = text.text().lastIndexOf(((PromptText) words.get(i)).text(), to - 1);
        }
        words.add(0, TextMethods.strip(text.substring(0, to), null, false, true));
        return words;
    }

    static int start(PromptText text, int from) {
        int at = from;
        while (at < text.length() && Whitespace.is(text.text().charAt(at))) {
            at++;
        }
        return at;
    }

    static int end(PromptText text, int from) {
        int at = from;
        while (at < text.length() && !Whitespace.is(text.text().charAt(at))) {
            at++;
        }
        return at;
    }
}
