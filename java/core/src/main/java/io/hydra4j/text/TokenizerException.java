package io.hydra4j.text;

import io.hydra4j.FormatException;
import io.hydra4j.HydraException;

/**
 * Thrown when a tokenizer cannot be made from a file (a value that is missing, wrong, too large or of a kind that is
 * not supported) or when the native tokenizer library refuses to load or to work. Immutable.
 */
public final class TokenizerException extends HydraException {
    private static final long serialVersionUID = 1L;
    private static final int LONGEST_QUOTE = 120;

    /** The file at fault. */
    private final String file;
    /** The place in it. */
    private final String field;
    /** What it holds there, shortened. */
    private final String found;
    /** What it should hold. */
    private final String expected;

    TokenizerException(String file, String field, String found, String expected) {
        this(file, field, found, expected, null);
    }

    TokenizerException(FormatException e) {
        this(e.file().toString(), e.field(), e.found(), e.expected(), e);
    }

    TokenizerException(String file, String field, String found, String expected, Throwable cause) {
        super(file + ": " + oneLine(field) + ": found " + oneLine(found) + ", expected " + expected, cause);
        this.file = file;
        this.field = oneLine(field);
        this.found = oneLine(found);
        this.expected = expected;
    }

    /** @return the file as it was named by the caller */
    public String file() {
        return file;
    }

    /** @return the field or key in the file, for instance {@code model.vocab} or {@code tokenizer.ggml.scores} */
    public String field() {
        return field;
    }

    /** @return what stands there: one line, shortened, control characters replaced */
    public String found() {
        return found;
    }

    /** @return what could have stood there */
    public String expected() {
        return expected;
    }

    private static String oneLine(String text) {
        StringBuilder line = new StringBuilder();
        for (int i = 0; i < text.length() && i < LONGEST_QUOTE; i++) {
            char c = text.charAt(i);
            // U+FFFD is what a FormatException has put in the place of such characters.
            boolean printable = !Character.isISOControl(c) && !Character.isSurrogate(c) && c != '\uFFFD';
            line.append(printable ? c : '?');
        }
        return text.length() > LONGEST_QUOTE ? line.append("...").toString() : line.toString();
    }
}
