package io.hydra4j.format;

import io.hydra4j.FormatException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;

/**
 * Reads the little-endian values of a GGUF header one after the other through a window of the file. Lengths are compared with
 * their limits and with what is left of the file before anything is reserved.
 */
final class GgufCursor {
    /** The longest header, in bytes; a vocabulary of 256,000 tokens takes about 15 MB. */
    static final long MAX_HEADER_BYTES = 64L << 20;
    /** The longest text, in bytes. */
    static final int MAX_STRING_BYTES = 16 << 20;

    private static final int WINDOW_BYTES = 256 << 10;

    private final Source source;
    private final ByteBuffer window =
            ByteBuffer.allocate(WINDOW_BYTES).order(ByteOrder.LITTLE_ENDIAN).limit(0);
    private long windowEnd;

    GgufCursor(Source source) {
        this.source = source;
    }

    Path file() {
        return source.file();
    }

    /** Bytes from the beginning of the file to the next value. */
    long position() {
        return windowEnd - window.remaining();
    }

    /** Bytes of the file that are left. */
    long remaining() {
        return source.size() - position();
    }

    int u8(String field) {
        return need(1, field).get() & 0xFF;
    }

    int i8(String field) {
        return need(1, field).get();
    }

    int u16(String field) {
        return need(2, field).getShort() & 0xFFFF;
    }

    int i16(String field) {
        return need(2, field).getShort();
    }

    long u32(String field) {
        return need(4, field).getInt() & 0xFFFF_FFFFL;
    }

    int i32(String field) {
        return need(4, field).getInt();
    }

    long i64(String field) {
        return need(8, field).getLong();
    }

    float f32(String field) {
        return need(4, field).getFloat();
    }

    double f64(String field) {
        return need(8, field).getDouble();
    }

    /** An unsigned 64-bit number that must not exceed a limit. */
    long u64(String field, long limit) {
        long value = i64(field);
        if (value < 0 || value > limit) {
            throw new FormatException.TooLarge(file(), field, Long.toUnsignedString(value), "at most " + limit);
        }
        return value;
    }

    /**
     * An unsigned 64-bit number of things that follow.
     *
     * @param limit the most that a sane file has
     * @param minBytes the least bytes that each takes in the file
     */
    int count(String field, int limit, int minBytes) {
        long count = u64(field, limit);
        if (count * minBytes > remaining()) {
            throw new FormatException.Truncated(
                    file(), field, remaining() + " bytes", "at least " + count * minBytes + " bytes for " + count);
        }
        return (int) count;
    }

    boolean bool(String field) {
        int value = u8(field);
        if (value > 1) {
            throw new FormatException.InvalidValue(file(), field, value, "0 or 1 for a truth value");
        }
        return value == 1;
    }

    String string(String field) {
        int length = count(field, MAX_STRING_BYTES, 1);
        if (length > WINDOW_BYTES) {
            checkHeaderSize(length);
            var bytes = source.read(position(), length, field);
            windowEnd = position() + length;
            window.limit(0);
            return Utf8.decode(bytes, 0, length, file(), field);
        }
        need(length, field);
        var text = Utf8.decode(window.array(), window.position(), length, file(), field);
        window.position(window.position() + length);
        return text;
    }

    private ByteBuffer need(int bytes, String field) {
        if (window.remaining() < bytes) {
            refill(bytes, field);
        }
        return window;
    }

    private void refill(int bytes, String field) {
        checkHeaderSize(bytes);
        long start = position();
        window.compact();
        while (window.position() < bytes) {
            int read = source.read(window, start + window.position());
            if (read < 0) {
                throw new FormatException.Truncated(
                        file(), field, window.position() + " bytes at " + start, bytes + " bytes");
            }
        }
        windowEnd = start + window.position();
        window.flip();
    }

    private void checkHeaderSize(int more) {
        if (position() + more > MAX_HEADER_BYTES) {
            throw new FormatException.TooLarge(
                    file(), "header", "more than " + MAX_HEADER_BYTES + " bytes", "at most " + MAX_HEADER_BYTES);
        }
    }
}
