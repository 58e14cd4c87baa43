package io.hydra4j.format;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class TensorTypeTest {
    @ParameterizedTest
    @CsvSource({
        "F32, 1024",
        "F16, 512",
        "BF16, 512",
        "Q8_0, 272",
        "Q4_0, 144",
        "Q4_1, 160",
        "Q5_0, 176",
        "Q5_1, 192",
        "Q4_K, 144",
        "Q5_K, 176",
        "Q6_K, 210"
    })
    void aRowOf256ValuesTakes(TensorType type, long bytes) {
        assertEquals(bytes, type.bytes(256));
    }

    @ParameterizedTest
    @EnumSource
    void isFoundByItsId(TensorType type) {
        assertEquals(type, TensorType.ofId(type.id()).orElseThrow());
    }

    @Test
    void wholeBlocksOnly() {
        assertThrows(IllegalArgumentException.class, () -> TensorType.Q8_0.bytes(33));
        assertThrows(IllegalArgumentException.class, () -> TensorType.F32.bytes(-1));
        assertThrows(ArithmeticException.class, () -> TensorType.F32.bytes(Long.MAX_VALUE));
        assertTrue(TensorType.ofId(28).isEmpty());
    }
}
