package io.hydra4j.cli;

/** Makes text of unknown origin harmless for terminals: what could move the cursor, hide or reorder text becomes visible. */
final class Printable {
    private static final int ZERO_WIDTH_NON_JOINER = 0x200C;
    private static final int ZERO_WIDTH_JOINER = 0x200D;

    private Printable() {}

    /** One line: every control character as an escape sequence of Java's. */
    static String line(String text) {
        return escape(text, false);
    }

    /** At most so many characters of one line, with dots for the rest. */
    static String line(String text, int longest) {
        if (text.length() <= longest) {
            return line(text);
        }
        int end = Character.isHighSurrogate(text.charAt(longest - 1)) ? longest - 1 : longest;
        return line(text.substring(0, end)) + "...";
    }

    /** Lines: line breaks and tabs stay, carriage returns are left out. */
    static String text(String text) {
        return escape(text, true);
    }

    private static String escape(String text, boolean lines) {
        int first = 0;
        while (first < text.length() && text.charAt(first) >= ' ' && text.charAt(first) < 0x7F) {
            first++;
        }
        if (first == text.length()) {
            return text;
        }
        StringBuilder escaped = new StringBuilder(text.length() + 16).append(text, 0, first);
        text.substring(first).codePoints().forEach(point -> {
            if (lines && point == '\r') {
                return;
            }
            if (isHarmless(point) || lines && (point == '\n' || point == '\t')) {
                escaped.appendCodePoint(point);
            } else {
                append(escaped, point);
            }
        });
        return escaped.toString();
    }

    private static boolean isHarmless(int point) {
        return switch (Character.getType(point)) {
            case Character.CONTROL,
                    Character.SURROGATE,
                    Character.LINE_SEPARATOR,
                    Character.PARAGRAPH_SEPARATOR -> false;
            case Character.FORMAT -> point == ZERO_WIDTH_JOINER || point == ZERO_WIDTH_NON_JOINER;
            default -> true;
        };
    }

    private static void append(StringBuilder escaped, int point) {
        switch (point) {
            case '\n' -> escaped.append("\\n");
            case '\r' -> escaped.append("\\r");
            case '\t' -> escaped.append("\\t");
            default -> {
                for (char unit : Character.toChars(point)) {
                    escaped.append(String.format("\\u%04x", (int) unit));
                }
            }
        }
    }
}
