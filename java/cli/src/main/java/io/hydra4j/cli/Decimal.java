package io.hydra4j.cli;

import java.math.BigDecimal;

/** Numbers as people write them: 100 and 0.0001 instead of 100.0 and 1.0E-4. */
final class Decimal {
    private Decimal() {}

    static String of(float value) {
        return Float.isFinite(value)
                ? new BigDecimal(Float.toString(value)).stripTrailingZeros().toPlainString()
                : Float.toString(value);
    }
}
