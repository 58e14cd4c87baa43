package io.hydra4j.format;

import io.hydra4j.FormatException;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/** Reads the key-value section of a GGUF header; {@link GgufFile#metadata()} states what each kind of value becomes. */
final class GgufValues {
    static final int U8 = 0;
    static final int I8 = 1;
    static final int U16 = 2;
    static final int I16 = 3;
    static final int U32 = 4;
    static final int I32 = 5;
    static final int F32 = 6;
    static final int BOOL = 7;
    static final int STRING = 8;
    static final int ARRAY = 9;
    static final int U64 = 10;
    static final int I64 = 11;
    static final int F64 = 12;

    /** The most keys of a file. */
    static final int MAX_KEYS = 1 << 16;
    /** The most elements of all arrays of a file together. */
    static final int MAX_ELEMENTS = 1 << 22;

    private static final int[] BYTES = {1, 1, 2, 2, 4, 4, 4, 1, 8, 12, 8, 8, 8};
    // A key of one byte with its length, the type, and a value of one byte.
    private static final int MIN_PAIR_BYTES = 8 + 1 + 4 + 1;

    private final GgufCursor cursor;
    private int elementsLeft = MAX_ELEMENTS;

    private GgufValues(GgufCursor cursor) {
        this.cursor = cursor;
    }

    /** Reads {@code count} pairs; the file has been found to have room for them. */
    static Map<String, Object> read(GgufCursor cursor, int count) {
        var values = new GgufValues(cursor);
        var map = new LinkedHashMap<String, Object>();
        for (int i = 0; i < count; i++) {
            var field = "metadata key " + i;
            var key = Utf8.checkName(cursor.string(field), cursor.file(), field);
            if (map.containsKey(key)) {
                throw new FormatException.DuplicateKey(cursor.file(), key);
            }
            map.put(key, values.value(key, cursor.u32(key)));
        }
        return Collections.unmodifiableMap(map);
    }

    static int count(GgufCursor cursor) {
        return cursor.count("metadata count", MAX_KEYS, MIN_PAIR_BYTES);
    }

    private Object value(String key, long type) {
        return switch (checkType(key, type)) {
            case F32 -> (double) cursor.f32(key);
            case F64 -> cursor.f64(key);
            case BOOL -> cursor.bool(key);
            case STRING -> cursor.string(key);
            case ARRAY -> array(key);
            default -> integer(key, (int) type);
        };
    }

    private Object array(String key) {
        int type = checkType(key, cursor.u32(key));
        if (type == ARRAY) {
            throw new FormatException.UnsupportedType(
                    cursor.file(), key, "an array of arrays", "an array of plain values", null);
        }
        int count = cursor.count(key, elementsLeft, BYTES[type]);
        elementsLeft -= count;
        return switch (type) {
            case STRING -> strings(key, count);
            case BOOL -> {
                var array = new boolean[count];
                for (int i = 0; i < count; i++) {
                    array[i] = cursor.bool(key);
                }
                yield array;
            }
            case F32, F64 -> {
                var array = new double[count];
                for (int i = 0; i < count; i++) {
                    array[i] = type == F32 ? cursor.f32(key) : cursor.f64(key);
                }
                yield array;
            }
            default -> {
                var array = new long[count];
                for (int i = 0; i < count; i++) {
                    array[i] = integer(key, type);
                }
                yield array;
            }
        };
    }

    private String[] strings(String key, int count) {
        var array = new String[count];
        for (int i = 0; i < count; i++) {
            array[i] = cursor.string(key);
        }
        return array;
    }

    private long integer(String key, int type) {
        return switch (type) {
            case U8 -> cursor.u8(key);
            case I8 -> cursor.i8(key);
            case U16 -> cursor.u16(key);
            case I16 -> cursor.i16(key);
            case U32 -> cursor.u32(key);
            case I32 -> cursor.i32(key);
            case U64 -> cursor.u64(key, Long.MAX_VALUE);
            default -> cursor.i64(key);
        };
    }

    private int checkType(String key, long type) {
        if (type >= BYTES.length) {
            throw new FormatException.UnsupportedType(
                    cursor.file(), key, "value type " + type, "a value type from 0 to " + (BYTES.length - 1), null);
        }
        return (int) type;
    }
}
