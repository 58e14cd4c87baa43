package io.hydra4j.format;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** Encodes the header of a GGUF file, the counterpart of {@link GgufCursor} and {@link GgufValues}. */
final class GgufEncoder {
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();

    /** @throws IllegalArgumentException if metadata cannot have a value of this kind */
    static void checkKind(String key, Object value) {
        boolean isKnown = value instanceof Long
                || value instanceof Integer
                || value instanceof Double
                || value instanceof Float
                || value instanceof Boolean
                || value instanceof String
                || value instanceof String[]
                || value instanceof long[]
                || value instanceof double[]
                || value instanceof boolean[];
        if (!isKnown) {
            throw new IllegalArgumentException("key " + key + " cannot have the value " + value);
        }
    }

    byte[] bytes() {
        return out.toByteArray();
    }

    void i32(int value) {
        for (int shift = 0; shift < 32; shift += 8) {
            out.write(value >>> shift);
        }
    }

    void i64(long value) {
        i32((int) value);
        i32((int) (value >>> 32));
    }

    void string(String text) {
        var utf8 = text.getBytes(StandardCharsets.UTF_8);
        i64(utf8.length);
        out.writeBytes(utf8);
    }

    void pair(String key, Object value) {
        string(key);
        if (value instanceof String text) {
            i32(GgufValues.STRING);
            string(text);
        } else if (value instanceof Boolean flag) {
            i32(GgufValues.BOOL);
            out.write(flag ? 1 : 0);
        } else if (value instanceof Double || value instanceof Float) {
            number(((Number) value).doubleValue());
        } else if (value instanceof Number integer) {
            integer(integer.longValue());
        } else {
            i32(GgufValues.ARRAY);
            array(value);
        }
    }

    private void integer(long value) {
        if (value >>> 32 == 0) {
            i32(GgufValues.U32);
            i32((int) value);
        } else {
            i32(GgufValues.I64);
            i64(value);
        }
    }

    private void number(double value) {
        if (isFloat(value)) {
            i32(GgufValues.F32);
            i32(Float.floatToIntBits((float) value));
        } else {
            i32(GgufValues.F64);
            i64(Double.doubleToLongBits(value));
        }
    }

    private void array(Object value) {
        if (value instanceof String[] texts) {
            arrayHead(GgufValues.STRING, texts.length);
            for (String text : texts) {
                string(text);
            }
        } else if (value instanceof boolean[] flags) {
            arrayHead(GgufValues.BOOL, flags.length);
            for (boolean flag : flags) {
                out.write(flag ? 1 : 0);
            }
        } else if (value instanceof long[] integers) {
            boolean isNarrow = Arrays.stream(integers).allMatch(each -> each == (int) each);
            arrayHead(isNarrow ? GgufValues.I32 : GgufValues.I64, integers.length);
            for (long each : integers) {
                if (isNarrow) {
                    i32((int) each);
                } else {
                    i64(each);
                }
            }
        } else if (value instanceof double[] numbers) {
            boolean isNarrow = Arrays.stream(numbers).allMatch(GgufEncoder::isFloat);
            arrayHead(isNarrow ? GgufValues.F32 : GgufValues.F64, numbers.length);
            for (double each : numbers) {
                if (isNarrow) {
                    i32(Float.floatToIntBits((float) each));
                } else {
                    i64(Double.doubleToLongBits(each));
                }
            }
        }
    }

    private void arrayHead(int type, int length) {
        i32(type);
        i64(length);
    }

    /** Whether single precision holds the number as it is. */
    private static boolean isFloat(double value) {
        return Double.compare((float) value, value) == 0;
    }
}
