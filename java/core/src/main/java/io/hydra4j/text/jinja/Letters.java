package io.hydra4j.text.jinja;

import io.hydra4j.text.PromptText;
import java.util.Locale;
import java.util.function.IntPredicate;

/** Upper and lower case, and kinds of characters. */
final class Letters {
    private Letters() {}

    /** What becomes of a character. */
    @FunctionalInterface
    interface Change {
        /**
         * @param c one character
         * @param starts whether it is the first of the text
         * @param startsWord whether no letter stands before it
         */
        String of(String c, boolean starts, boolean startsWord);
    }

    /** Null where the method does not change letters. */
    static Change change(String method) {
        return switch (method) {
            case "upper" -> (c, starts, startsWord) -> upper(c);
            case "lower", "casefold" -> (c, starts, startsWord) -> lower(c);
            case "capitalize" -> (c, starts, startsWord) -> starts ? title(c) : lower(c);
            case "title" -> (c, starts, startsWord) -> startsWord ? title(c) : lower(c);
            case "swapcase" -> (c, starts, startsWord) -> upper(c).equals(c) ? lower(c) : upper(c);
            default -> null;
        };
    }

    private static String upper(String c) {
        return c.toUpperCase(Locale.ROOT);
    }

    private static String lower(String c) {
        return c.toLowerCase(Locale.ROOT);
    }

    private static String title(String c) {
        return c.length() == 1 ? String.valueOf(Character.toTitleCase(c.charAt(0))) : upper(c);
    }

    static PromptText changed(PromptText text, Change change, Budget budget) {
        TextWriter out = new TextWriter(budget);
        budget.steps(text.length() / 8);
        boolean startsWord = true;
        for (int at = 0; at < text.length(); ) {
            int c = text.text().codePointAt(at);
            int end = at + Character.charCount(c);
            String changed = change.of(text.text().substring(at, end), at == 0, startsWord);
            out.write(changed, text.isForeign(at));
            startsWord = !Character.isLetter(c);
            at = end;
        }
        return out.text();
    }

    /** Null where the method does not ask for a kind. */
    static IntPredicate kind(String method) {
        return switch (method) {
            case "isdigit", "isdecimal", "isnumeric" -> Character::isDigit;
            case "isalpha" -> Character::isLetter;
            case "isalnum" -> Character::isLetterOrDigit;
            case "isspace" -> c -> c < 0x10000 && Whitespace.is((char) c);
            case "isascii" -> c -> c < 0x80;
            default -> null;
        };
    }
}
