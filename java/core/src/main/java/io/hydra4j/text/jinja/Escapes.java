package io.hydra4j.text.jinja;

import java.util.OptionalInt;

/** The escapes of Python's strings. */
final class Escapes {
    private static final String LETTERS = "ntrabfv\\'\"";
    private static final String MEANINGS = "\n\t\r\u0007\b\f\u000b\\'\"";

    private final String text;
    private final StringBuilder out = new StringBuilder();
    private int at;

    private Escapes(String text) {
        this.text = text;
    }

    /** The characters that a string stands for; null where an escape stands for none. */
    static String resolve(String text) {
        return text.indexOf('\\') < 0 ? text : new Escapes(text).resolve();
    }

    private String resolve() {
        while (at < text.length()) {
            char c = text.charAt(at++);
            if (c != '\\' || at == text.length()) {
                out.append(c);
            } else if (!escape(text.charAt(at))) {
                return null;
            }
        }
        return out.toString();
    }

    private boolean escape(char c) {
        at++;
        int letter = LETTERS.indexOf(c);
        if (letter >= 0) {
            out.append(MEANINGS.charAt(letter));
        } else if (c >= '0' && c <= '7') {
            octal(c - '0');
        } else if (c == 'x' || c == 'u' || c == 'U') {
            OptionalInt point = hexadecimal(c == 'x' ? 2 : c == 'u' ? 4 : 8);
            if (point.isEmpty() || !Character.isValidCodePoint(point.getAsInt())) {
                return false;
            }
            out.appendCodePoint(point.getAsInt());
        } else if (c != '\n') {
            out.append('\\').append(c);
        }
        return true;
    }

    private void octal(int first) {
        int value = first;
        for (int i = 0; i < 2 && at < text.length() && "01234567".indexOf(text.charAt(at)) >= 0; i++) {
            value = 8 * value + text.charAt(at++) - '0';
        }
        out.append((char) value);
    }

    private OptionalInt hexadecimal(int digits) {
        if (at + digits > text.length()) {
            return OptionalInt.empty();
        }
        int value = 0;
        for (int i = 0; i < digits; i++) {
            int digit = Character.digit(text.charAt(at++), 16);
            if (digit < 0 || value >= 1 << 24) {
                return OptionalInt.empty();
            }
            value = 16 * value + digit;
        }
        return OptionalInt.of(value);
    }
}
