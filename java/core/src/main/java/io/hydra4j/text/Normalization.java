package io.hydra4j.text;

import java.text.Normalizer;
import java.util.List;

/**
 * What is done to a text before it is cut into words, step by step. Done in Java, so that added tokens can be found in
 * what comes of it, and so that its size is known before the native library sees it. Immutable and thread-safe.
 *
 * @param steps in their order
 */
record Normalization(List<Step> steps) {
    static final Normalization NONE = new Normalization(List.of());

    /** Neighbouring combining marks that are brought into order together; in real text there are hardly ten. */
    private static final int MOST_MARKS = 256;

    /** Changes a text, which is well-formed and may be empty. */
    interface Step {
        String apply(String text);
    }

    /** Puts something before every text that is not empty. */
    static Step prepend(String inserted) {
        return text -> text.isEmpty() ? text : inserted + text;
    }

    /** Replaces every occurrence of a literal text that is not empty. */
    static Step replace(String pattern, String content) {
        return text -> text.replace(pattern, content);
    }

    /** Brings a text into a Unicode normalization form. */
    static Step form(Normalizer.Form form) {
        return text -> normalized(text, form);
    }

    /** Each character in lower case, whatever stands around it, as the native library does it. */
    static Step lowercase() {
        return text -> {
            StringBuilder lower = new StringBuilder(text.length());
            text.codePoints().forEach(c -> {
                lower.appendCodePoint(Character.toLowerCase(c));
                if (c == '\u0130') {
                    lower.append('\u0307');
                }
            });
            return lower.toString();
        };
    }

    /**
     * @param text a well-formed text
     * @param most UTF-16 units that the result may have
     * @return the result, or null if it would be longer
     */
    String apply(String text, int most) {
        String result = text;
        for (Step step : steps) {
            result = step.apply(result);
            if (result.length() > most) {
                return null;
            }
        }
        return result;
    }

    /** The JDK's normalizer needs the square of the number of marks that follow each other. */
    private static String normalized(String text, Normalizer.Form form) {
        StringBuilder result = null;
        int from = 0;
        int marks = 0;
        for (int at = 0; at < text.length(); ) {
            int c = text.codePointAt(at);
            marks = isMark(c) ? marks + 1 : 0;
            if (marks > MOST_MARKS) {
                result = result == null ? new StringBuilder() : result;
                result.append(Normalizer.normalize(text.substring(from, at), form));
                from = at;
                marks = 1;
            }
            at += Character.charCount(c);
        }
        String rest = Normalizer.normalize(text.substring(from), form);
        return result == null ? rest : result.append(rest).toString();
    }

    private static boolean isMark(int c) {
        return switch (Character.getType(c)) {
            case Character.NON_SPACING_MARK, Character.ENCLOSING_MARK, Character.COMBINING_SPACING_MARK -> true;
                // These two become marks in the compatibility forms.
            default -> c == 0xFF9E || c == 0xFF9F;
        };
    }
}
