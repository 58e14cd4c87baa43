package io.hydra4j.format;

import io.hydra4j.FormatException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The directory of a zip file whose entries are stored as they are, so that their bytes can be used where they lie. Sizes of 64
 * bits are read too. Entries that are compressed or encrypted, that overlap each other, or that reach beyond the directory are
 * errors.
 */
final class StoredZip {
    /** The most entries. */
    static final int MAX_ENTRIES = 1 << 16;
    /** The longest directory, in bytes. */
    static final int MAX_DIRECTORY_BYTES = 16 << 20;

    private static final int END = 0x06054b50;
    private static final int END_BYTES = 22;
    private static final int MAX_COMMENT = 0xFFFF;
    private static final int LOCATOR = 0x07064b50;
    private static final int LOCATOR_BYTES = 20;
    private static final int END_64 = 0x06064b50;
    private static final int END_64_BYTES = 56;
    private static final int DIRECTORY_ENTRY = 0x02014b50;
    private static final int DIRECTORY_ENTRY_BYTES = 46;
    private static final int LOCAL_HEADER = 0x04034b50;
    private static final int LOCAL_HEADER_BYTES = 30;
    private static final int SIZES_64 = 1;
    private static final int IS_ENCRYPTED = 1;
    private static final int ENTRIES_IN_64_BITS = 0xFFFF;
    private static final long IN_64_BITS = 0xFFFF_FFFFL;
    private static final String DIRECTORY = "zip directory";

    /**
     * Where the bytes of an entry lie.
     *
     * @param offset from the beginning of the file
     * @param crc of the bytes, CRC-32
     */
    record Entry(String name, long offset, long bytes, int crc) {}

    private final Source source;

    private StoredZip(Source source) {
        this.source = source;
    }

    /**
     * Reads the directory.
     *
     * @return the entries by name, in the directory's order
     * @throws FormatException its nested classes, one for each kind of fault
     */
    static Map<String, Entry> read(Source source) {
        return new StoredZip(source).read();
    }

    /** What the end of the file says of the directory. */
    private record End(long entries, long offset, long bytes) {}

    private Map<String, Entry> read() {
        var end = findEnd();
        if (end.entries() > MAX_ENTRIES || end.entries() < 0) {
            throw new FormatException.TooLarge(
                    source.file(), DIRECTORY, end.entries() + " entries", "at most " + MAX_ENTRIES);
        }
        if (end.bytes() > MAX_DIRECTORY_BYTES || end.bytes() < 0) {
            throw new FormatException.TooLarge(
                    source.file(), DIRECTORY, end.bytes() + " bytes", "at most " + MAX_DIRECTORY_BYTES);
        }
        if (end.offset() < 0 || end.offset() > source.size() - end.bytes()) {
            throw new FormatException.Truncated(
                    source.file(), DIRECTORY, source.size() + " bytes", "a directory from byte " + end.offset());
        }
        var directory = read(end.offset(), (int) end.bytes(), DIRECTORY);
        var entries = new LinkedHashMap<String, Entry>();
        var spans = new ArrayList<Span>();
        for (long i = 0; i < end.entries(); i++) {
            var entry = readEntry(directory, end.offset(), spans);
            if (entries.put(entry.name(), entry) != null) {
                throw new FormatException.DuplicateKey(source.file(), entry.name());
            }
        }
        checkOverlap(spans);
        return entries;
    }

    private End findEnd() {
        int length = (int) Math.min(source.size(), END_BYTES + MAX_COMMENT);
        long begin = source.size() - length;
        var tail = read(begin, length, DIRECTORY);
        for (int at = length - END_BYTES; at >= 0; at--) {
            if (tail.getInt(at) == END && unsigned16(tail, at + 20) == length - END_BYTES - at) {
                var end = new End(unsigned16(tail, at + 10), unsigned32(tail, at + 16), unsigned32(tail, at + 12));
                boolean in64Bits =
                        end.entries() == ENTRIES_IN_64_BITS || end.offset() == IN_64_BITS || end.bytes() == IN_64_BITS;
                return in64Bits ? readEnd64(begin + at - LOCATOR_BYTES) : end;
            }
        }
        throw new FormatException.Truncated(source.file(), DIRECTORY, "no end of a zip directory", "one");
    }

    private End readEnd64(long locatorAt) {
        if (locatorAt < 0) {
            throw invalid("no room for a locator of 64 bits", "one");
        }
        var locator = read(locatorAt, LOCATOR_BYTES, DIRECTORY);
        long at = locator.getLong(8);
        if (locator.getInt(0) != LOCATOR || at < 0 || at > locatorAt - END_64_BYTES) {
            throw invalid("a locator of 64 bits that leads nowhere", "one that leads to the directory's end");
        }
        var end = read(at, END_64_BYTES, DIRECTORY);
        if (end.getInt(0) != END_64) {
            throw invalid("no end of 64 bits", "one where the locator says");
        }
        return new End(end.getLong(32), end.getLong(48), end.getLong(40));
    }

    /** From where an entry's header begins to where its bytes end. */
    private record Span(String name, long begin, long end) {}

    private Entry readEntry(ByteBuffer directory, long directoryAt, List<Span> spans) {
        int at = directory.position();
        if (directory.remaining() < DIRECTORY_ENTRY_BYTES || directory.getInt(at) != DIRECTORY_ENTRY) {
            throw invalid("no entry at byte " + (directoryAt + at), "one");
        }
        int nameLength = unsigned16(directory, at + 28);
        int extraLength = unsigned16(directory, at + 30);
        int length = DIRECTORY_ENTRY_BYTES + nameLength + extraLength + unsigned16(directory, at + 32);
        if (length > directory.remaining()) {
            throw invalid("an entry of " + length + " bytes at byte " + (directoryAt + at), "one inside the directory");
        }
        var name = Utf8.decode(directory.array(), at + DIRECTORY_ENTRY_BYTES, nameLength, source.file(), DIRECTORY);
        Utf8.checkName(name, source.file(), DIRECTORY);
        int method = unsigned16(directory, at + 10);
        if (method != 0 || (unsigned16(directory, at + 8) & IS_ENCRYPTED) != 0) {
            throw new FormatException.UnsupportedType(
                    source.file(),
                    name,
                    method == 0 ? "an encrypted entry" : "an entry compressed by method " + method,
                    "entries stored as they are",
                    "save the checkpoint with torch.save, which compresses nothing");
        }
        var extra = extra64(directory, at + DIRECTORY_ENTRY_BYTES + nameLength, extraLength);
        long bytes = in64Bits(unsigned32(directory, at + 24), extra, name);
        long stored = in64Bits(unsigned32(directory, at + 20), extra, name);
        long headerAt = in64Bits(unsigned32(directory, at + 42), extra, name);
        if (bytes != stored) {
            throw new FormatException.InvalidValue(
                    source.file(), name, stored + " bytes stored of " + bytes, "as many bytes as it has");
        }
        long offset = dataOffset(name, headerAt, directoryAt);
        if (bytes < 0 || bytes > directoryAt - offset) {
            throw new FormatException.Truncated(
                    source.file(), name, (directoryAt - offset) + " bytes before the directory", bytes + " bytes");
        }
        spans.add(new Span(name, headerAt, offset + bytes));
        directory.position(at + length);
        return new Entry(name, offset, bytes, directory.getInt(at + 16));
    }

    private long dataOffset(String name, long headerAt, long directoryAt) {
        if (headerAt < 0 || headerAt > directoryAt - LOCAL_HEADER_BYTES) {
            throw new FormatException.InvalidValue(
                    source.file(), name, "a header at byte " + headerAt, "one before the directory");
        }
        var header = read(headerAt, LOCAL_HEADER_BYTES, name);
        long offset = headerAt + LOCAL_HEADER_BYTES + unsigned16(header, 26) + unsigned16(header, 28);
        if (header.getInt(0) != LOCAL_HEADER || offset > directoryAt) {
            throw new FormatException.InvalidValue(
                    source.file(), name, "no header of an entry at byte " + headerAt, "one before the directory");
        }
        return offset;
    }

    /** The numbers of 64 bits in an entry's extra fields; empty where there are none. */
    private static ByteBuffer extra64(ByteBuffer directory, int begin, int length) {
        for (int at = begin; at + 4 <= begin + length; ) {
            int bytes = Math.min(unsigned16(directory, at + 2), begin + length - at - 4);
            if (unsigned16(directory, at) == SIZES_64) {
                return directory.slice(at + 4, bytes).order(ByteOrder.LITTLE_ENDIAN);
            }
            at += 4 + bytes;
        }
        return ByteBuffer.allocate(0);
    }

    private long in64Bits(long number, ByteBuffer extra, String name) {
        if (number != IN_64_BITS) {
            return number;
        }
        if (extra.remaining() < Long.BYTES) {
            throw new FormatException.MissingField(source.file(), name, "a number of 64 bits");
        }
        return extra.getLong();
    }

    private void checkOverlap(List<Span> spans) {
        spans.sort(Comparator.comparingLong(Span::begin));
        for (int i = 1; i < spans.size(); i++) {
            var before = spans.get(i - 1);
            var span = spans.get(i);
            if (span.begin() < before.end()) {
                throw new FormatException.Overlap(
                        source.file(),
                        span.name(),
                        "bytes from " + span.begin(),
                        "bytes from " + before.end() + ", where the entry before it ends, or later");
            }
        }
    }

    private ByteBuffer read(long at, int length, String field) {
        return ByteBuffer.wrap(source.read(at, length, field)).order(ByteOrder.LITTLE_ENDIAN);
    }

    private FormatException invalid(String found, String expected) {
        return new FormatException.InvalidValue(source.file(), DIRECTORY, found, expected);
    }

    private static int unsigned16(ByteBuffer buffer, int at) {
        return buffer.getShort(at) & 0xFFFF;
    }

    private static long unsigned32(ByteBuffer buffer, int at) {
        return buffer.getInt(at) & 0xFFFF_FFFFL;
    }
}
