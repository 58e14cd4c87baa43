package io.hydra4j.text;

import java.nio.charset.StandardCharsets;

/** Byte-level BPE: tokens are bytes; all of them together are UTF-8, and broken parts become U+FFFD. */
final class ByteLevelDecoder implements TokenDecoder {
    private final byte[][] tokens;
    private final Utf8Decoder utf8 = new Utf8Decoder();

    /** @param tokens bytes by id, as made by {@link #table} */
    ByteLevelDecoder(byte[][] tokens) {
        this.tokens = tokens;
    }

    /**
     * @param tokens text by id, null where there is no token
     * @return bytes by id
     */
    static byte[][] table(String[] tokens) {
        byte[][] table = new byte[tokens.length][];
        for (int id = 0; id < table.length; id++) {
            if (tokens[id] != null) {
                byte[] spelled = ByteAlphabet.bytes(tokens[id]);
                table[id] = spelled != null ? spelled : tokens[id].getBytes(StandardCharsets.UTF_8);
            }
        }
        return table;
    }

    @Override
    public void accept(int id, StringBuilder out) {
        for (byte value : tokens[id]) {
            int result = utf8.accept(value & 0xFF);
            if (result == Utf8Decoder.BROKEN_BEFORE) {
                out.append(REPLACEMENT);
                result = utf8.accept(value & 0xFF);
            }
            if (result >= 0) {
                out.appendCodePoint(result);
            } else if (result == Utf8Decoder.BROKEN_BYTE) {
                out.append(REPLACEMENT);
            }
        }
    }

    @Override
    public boolean isAtStart() {
        return false;
    }

    /** No character goes on after an ASCII byte. */
    @Override
    public boolean isBoundary(int id) {
        byte[] bytes = tokens[id];
        return bytes.length > 0 && bytes[bytes.length - 1] >= 0;
    }

    @Override
    public void finish(StringBuilder out) {
        if (utf8.finish()) {
            out.append(REPLACEMENT);
        }
    }
}
