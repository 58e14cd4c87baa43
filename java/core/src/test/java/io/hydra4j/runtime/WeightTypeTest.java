package io.hydra4j.runtime;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class WeightTypeTest {
    @ParameterizedTest
    @EnumSource
    void isFoundByItsNumber(WeightType type) {
        assertSame(type, WeightType.of(type.id()));
    }

    @Test
    void countsBytesByBlocks() {
        assertEquals(4 * 7, WeightType.F32.bytes(7));
        assertEquals(2 * 34, WeightType.Q8_0.bytes(64));
        assertEquals(0, WeightType.Q6_K.bytes(0));
        assertThrows(IllegalArgumentException.class, () -> WeightType.Q8_0.bytes(33));
        assertThrows(IllegalArgumentException.class, () -> WeightType.F32.bytes(-1));
        assertThrows(ArithmeticException.class, () -> WeightType.F32.bytes(Long.MAX_VALUE));
        assertThrows(IllegalArgumentException.class, () -> WeightType.of(99));
    }

    @Test
    void decodesWhatItEncoded() {
        float[] values = new float[64];
        for (int i = 0; i < values.length; i++) {
            values[i] = i % 16 - 8;
        }
        for (WeightType type : WeightType.values()) {
            if (type.isEncodable()) {
                byte[] encoded = type.encode(values);
                assertEquals(type.bytes(64), encoded.length);
                assertArrayEquals(values, type.decode(ByteBuffer.wrap(encoded)), 0.05f, type.name());
            } else {
                assertThrows(NativeException.class, () -> type.encode(new float[256]));
            }
        }
    }

    @Test
    void decodesBlocksOfTypesThatNothingIsConvertedTo() {
        // Q5_0: scale 2, all fifth bits set, all nibbles 0: 2 * (16 - 16) = 0; one nibble 3: 2 * (19 - 16) = 6.
        ByteBuffer block = ByteBuffer.allocate(22).order(ByteOrder.LITTLE_ENDIAN);
        block.putShort((short) 0x4000).putInt(-1).put((byte) 3).rewind();
        float[] values = WeightType.Q5_0.decode(block);
        assertEquals(32, values.length);
        assertEquals(6f, values[0]);
        assertEquals(0f, values[1]);
    }

    @Test
    void refusesPartsOfABlock() {
        assertThrows(IllegalArgumentException.class, () -> WeightType.Q8_0.decode(ByteBuffer.allocate(35)));
        assertThrows(IllegalArgumentException.class, () -> WeightType.Q8_0.encode(new float[31]));
        assertEquals(0, WeightType.Q8_0.decode(ByteBuffer.allocate(0)).length);
    }
}
