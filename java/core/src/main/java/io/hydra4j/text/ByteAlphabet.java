package io.hydra4j.text;

import java.util.Arrays;

/**
 * The alphabet of byte-level BPE, from GPT-2: each of the 256 bytes is one printable character, itself where it is
 * printable in Latin-1, and one from U+0100 on where it is not.
 */
final class ByteAlphabet {
    private static final short[] BYTES = new short[0x144];

    static {
        Arrays.fill(BYTES, (short) -1);
        char next = 0x100;
        for (int value = 0; value < 256; value++) {
            boolean printable = value >= '!' && value <= '~' || value >= 0xA1 && value != 0xAD;
            BYTES[printable ? value : next++] = (short) value;
        }
    }

    private ByteAlphabet() {}

    /** @return the bytes that a token spells, or null if one of its characters is not of this alphabet */
    static byte[] bytes(String token) {
        byte[] bytes = new byte[token.length()];
        for (int i = 0; i < bytes.length; i++) {
            char c = token.charAt(i);
            if (c >= BYTES.length || BYTES[c] < 0) {
                return null;
            }
            bytes[i] = (byte) BYTES[c];
        }
        return bytes;
    }
}
