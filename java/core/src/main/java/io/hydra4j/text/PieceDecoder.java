package io.hydra4j.text;

import java.util.Arrays;

/**
 * SentencePiece-like tokens: text with some characters replaced, and tokens that stand for one byte. A run of byte
 * tokens counts as a whole: if all of it is UTF-8 it becomes that text, and if not, each of its bytes becomes U+FFFD.
 * So a run that is valid so far has to be held back until it ends or breaks.
 */
final class PieceDecoder implements TokenDecoder {
    /** UTF-16 units that all tokens together may have more than twice of what they have in the file. */
    private static final int MOST_TEXT = 1 << 20;

    private final Table table;
    private final Utf8Decoder utf8 = new Utf8Decoder();
    private final StringBuilder run = new StringBuilder();
    private int runBytes;
    private boolean runBroken;
    private int strip;
    private boolean first = true;

    PieceDecoder(Table table) {
        this.table = table;
        this.strip = table.spec.stripStart();
    }

    /** Thrown where decoded tokens would take far more memory than the file. */
    static final class TooLong extends RuntimeException {
        private static final long serialVersionUID = 1L;
    }

    /** What tokens mean, by id. Immutable, shared. */
    static final class Table {
        private final DecoderSpec spec;
        private final String[] tokens;
        private final String[] text;
        private final short[] bytes;

        /**
         * @param tokens text by id, null where there is no token
         * @throws TooLong if the replacements make all of them together many times longer
         */
        Table(DecoderSpec spec, String[] tokens) {
            this.spec = spec;
            this.tokens = tokens;
            this.text = new String[tokens.length];
            this.bytes = new short[tokens.length];
            Arrays.fill(bytes, (short) -1);
            long most = MOST_TEXT;
            for (int id = 0; id < tokens.length; id++) {
                if (tokens[id] != null) {
                    text[id] = replaced(tokens[id]);
                    most += 2L * tokens[id].length() - text[id].length();
                    if (most < 0) {
                        throw new TooLong();
                    }
                    bytes[id] = spec.byteFallback() ? byteOf(text[id]) : -1;
                }
            }
        }

        private String first(int id) {
            int dropped = spec.droppedInFirst();
            return dropped < 0 ? text[id] : replaced(tokens[id].replace(Character.toString(dropped), ""));
        }

        private String replaced(String token) {
            String text = token;
            for (DecoderSpec.Replacement replacement : spec.replacements()) {
                text = text.replace(replacement.pattern(), replacement.content());
            }
            return text;
        }

        private static short byteOf(String token) {
            if (token.length() != 6 || !token.startsWith("<0x") || token.charAt(5) != '>') {
                return -1;
            }
            int high = token.charAt(3) < 0x80 ? Character.digit(token.charAt(3), 16) : -1;
            int low = token.charAt(4) < 0x80 ? Character.digit(token.charAt(4), 16) : -1;
            return (short) (high < 0 || low < 0 ? -1 : high * 16 + low);
        }
    }

    @Override
    public void accept(int id, StringBuilder out) {
        if (table.bytes[id] >= 0) {
            acceptByte(table.bytes[id], out);
        } else {
            endRun(out);
            emit(first ? table.first(id) : table.text[id], out);
        }
        first = false;
    }

    @Override
    public boolean isAtStart() {
        return first || strip > 0;
    }

    /** A run of byte tokens counts as a whole: only another token ends it. */
    @Override
    public boolean isBoundary(int id) {
        return table.bytes[id] < 0;
    }

    @Override
    public void finish(StringBuilder out) {
        endRun(out);
    }

    private void acceptByte(int value, StringBuilder out) {
        runBytes++;
        if (!runBroken) {
            int result = utf8.accept(value);
            if (result >= 0) {
                run.appendCodePoint(result);
            } else if (result != Utf8Decoder.PENDING) {
                runBroken = true;
            }
        }
        if (runBroken) {
            emitBroken(out);
        }
    }

    private void endRun(StringBuilder out) {
        if (utf8.finish()) {
            emitBroken(out);
        }
        emit(run.toString(), out);
        run.setLength(0);
        runBytes = 0;
        runBroken = false;
    }

    private void emitBroken(StringBuilder out) {
        emit(String.valueOf(REPLACEMENT).repeat(runBytes), out);
        run.setLength(0);
        runBytes = 0;
    }

    private void emit(String text, StringBuilder out) {
        int from = 0;
        while (strip > 0 && from < text.length()) {
            if (text.codePointAt(from) != table.spec.stripped()) {
                strip = 0;
            } else {
                strip--;
                from += Character.charCount(table.spec.stripped());
            }
        }
        out.append(text, from, text.length());
    }
}
