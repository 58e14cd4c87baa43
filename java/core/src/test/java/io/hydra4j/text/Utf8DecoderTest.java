package io.hydra4j.text;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class Utf8DecoderTest {
    @Test
    void everyCharacterIsDecoded() {
        for (int c = 0; c <= Character.MAX_CODE_POINT; c++) {
            if (c < Character.MIN_SURROGATE || c > Character.MAX_SURROGATE) {
                String text = Character.toString(c);
                assertEquals(text, decode(text.getBytes(StandardCharsets.UTF_8)));
            }
        }
    }

    /** The examples of the Unicode standard, section 3.9, and the borders of each length. */
    @ParameterizedTest
    @CsvSource({
        "c0af e0 80 bf f0 81 82 41, ????????A",
        "eda080 edbfbf edaf 41, ????????A",
        "f4919293 ff 41 80 bf 42, ?????A??B",
        "e180 e2 f09192 f1bf 41, ????A",
        "f0 f0 f0, ???",
        "e4b8, ?",
        "e4b8 e4b8ad, ?中",
        "f09f, ?",
        "c1 bf, ??",
        "f48fbfbf 80, \uDBFF\uDFFF?"
    })
    void eachBrokenBeginningCountsOnce(String bytes, String text) {
        assertEquals(text.replace('?', '\ufffd'), decode(HexFormat.of().parseHex(bytes.replace(" ", ""))));
    }

    @Test
    void randomBytesAreDecodedAsJavaDoesSurrogatesAside() {
        Random random = new Random(4);
        for (int round = 0; round < 20_000; round++) {
            byte[] bytes = new byte[random.nextInt(12)];
            for (int i = 0; i < bytes.length; i++) {
                bytes[i] = (byte) (random.nextBoolean() ? random.nextInt() : 0x80 + random.nextInt(0x40));
                bytes[i] = bytes[i] == (byte) 0xED ? 0x41 : bytes[i];
            }
            assertEquals(new String(bytes, StandardCharsets.UTF_8), decode(bytes));
        }
    }

    private static String decode(byte[] bytes) {
        TokenDecoder decoder = new ByteLevelDecoder(new byte[][] {bytes});
        StringBuilder text = new StringBuilder();
        decoder.accept(0, text);
        decoder.finish(text);
        return text.toString();
    }
}
