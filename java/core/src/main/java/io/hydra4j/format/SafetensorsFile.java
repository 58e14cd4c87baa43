package io.hydra4j.format;

import io.hydra4j.FormatException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The header of one safetensors file: where each tensor lies. Enforced are the rules of the reference implementation: a
 * header of bounded length that begins with a brace, strict JSON without duplicate keys, known types, shapes whose checked
 * product is the tensor's length, and tensors that follow each other without gap or overlap from the end of the header to the
 * end of the file. Tensor data is neither read nor mapped; a file that changes after it was read is the caller's risk.
 * Immutable, so safe to share between threads.
 *
 * @param path the file
 * @param tensors F32, F16 and BF16 tensors by name, in the order of the header
 * @param otherTypes the tensors of other types (integers, for example), name to type; they are no error until needed
 * @param metadata texts by name, of the header's {@code __metadata__}
 */
public record SafetensorsFile(
        Path path, Map<String, Tensor> tensors, Map<String, String> otherTypes, Map<String, String> metadata) {
    /** The longest header, in bytes. */
    public static final int MAX_HEADER_BYTES = StrictJson.MAX_BYTES;
    /** The most tensors of a file. */
    public static final int MAX_TENSORS = 1 << 15;
    /** The most dimensions of a tensor. */
    public static final int MAX_RANK = 8;

    private static final long MAX_BYTES = 1L << 50;
    private static final String METADATA = "__metadata__";
    private static final Map<String, TensorType> TYPES =
            Map.of("F32", TensorType.F32, "F16", TensorType.F16, "BF16", TensorType.BF16);
    private static final Map<String, Integer> OTHER_TYPES = Map.ofEntries(
            Map.entry("BOOL", 1),
            Map.entry("U8", 1),
            Map.entry("I8", 1),
            Map.entry("F8_E4M3", 1),
            Map.entry("F8_E5M2", 1),
            Map.entry("F8_E8M0", 1),
            Map.entry("U16", 2),
            Map.entry("I16", 2),
            Map.entry("U32", 4),
            Map.entry("I32", 4),
            Map.entry("U64", 8),
            Map.entry("I64", 8),
            Map.entry("F64", 8),
            Map.entry("C64", 8));

    /** The tensors, to be looked up by name and shape. */
    public TensorTable table() {
        return new TensorTable(path, tensors, otherTypes);
    }

    /** Bytes {@code [begin, end)} of the data section. */
    private record Span(String name, long begin, long end) {}

    /**
     * Reads the header.
     *
     * @throws FormatException its nested classes, one for each kind of fault; an error that names the file and the field
     */
    public static SafetensorsFile read(Path path) {
        try (var source = Source.open(path)) {
            var lengthBytes =
                    ByteBuffer.wrap(source.read(0, 8, "header length")).order(ByteOrder.LITTLE_ENDIAN);
            long length = lengthBytes.getLong();
            if (length < 0 || length > MAX_HEADER_BYTES) {
                throw new FormatException.TooLarge(
                        path, "header length", Long.toUnsignedString(length), "at most " + MAX_HEADER_BYTES);
            }
            var header = source.read(8, (int) length, "header");
            if (length == 0 || header[0] != '{') {
                throw new FormatException.WrongMagic(
                        path,
                        "header",
                        length == 0 ? "nothing" : String.format("byte 0x%02x", header[0]),
                        "a JSON object that begins with {",
                        null);
            }
            return parse(path, StrictJson.parse(path, "header", header), 8 + length, source.size());
        }
    }

    private static SafetensorsFile parse(Path path, Fields header, long dataStart, long fileSize) {
        var tensors = new LinkedHashMap<String, Tensor>();
        var otherTypes = new LinkedHashMap<String, String>();
        var metadata = new LinkedHashMap<String, String>();
        var spans = new ArrayList<Span>();
        for (String name : header.names()) {
            if (name.equals(METADATA)) {
                var texts = header.object(name);
                texts.names().forEach(text -> metadata.put(text, texts.string(text)));
                continue;
            }
            Utf8.checkName(name, path, "tensor name");
            if (spans.size() == MAX_TENSORS) {
                throw new FormatException.TooLarge(path, "header", "more tensors", "at most " + MAX_TENSORS);
            }
            var entry = header.object(name);
            var typeName = entry.string("dtype");
            var shape = entry.integers("shape", MAX_RANK, MAX_BYTES);
            var offsets = entry.integers("data_offsets", 2, MAX_BYTES);
            if (offsets.size() != 2 || offsets.get(0) > offsets.get(1)) {
                throw new FormatException.InvalidValue(
                        path, name + ".data_offsets", offsets, "two numbers, the second not below the first");
            }
            var span = new Span(name, offsets.get(0), offsets.get(1));
            checkLength(path, span, shape, bytesOf(path, name, typeName));
            spans.add(span);
            var type = TYPES.get(typeName);
            if (type == null) {
                otherTypes.put(name, typeName);
            } else {
                tensors.put(
                        name, new Tensor(path, name, type, shape, dataStart + span.begin(), span.end() - span.begin()));
            }
        }
        checkCover(path, spans, fileSize - dataStart);
        return new SafetensorsFile(
                path,
                Collections.unmodifiableMap(tensors),
                Collections.unmodifiableMap(otherTypes),
                Collections.unmodifiableMap(metadata));
    }

    private static long bytesOf(Path path, String name, String typeName) {
        var type = TYPES.get(typeName);
        var bytes = type != null ? Integer.valueOf(type.blockBytes()) : OTHER_TYPES.get(typeName);
        if (bytes == null) {
            throw new FormatException.UnsupportedType(
                    path,
                    name + ".dtype",
                    '"' + typeName + '"',
                    "F32, F16 or BF16",
                    "convert the file to one of these");
        }
        return bytes;
    }

    private static void checkLength(Path path, Span span, List<Long> shape, long valueBytes) {
        long bytes = valueBytes;
        for (long size : shape) {
            if (size != 0 && bytes > MAX_BYTES / size) {
                throw new FormatException.TooLarge(
                        path, span.name() + ".shape", shape, "at most " + MAX_BYTES + " bytes");
            }
            bytes *= size;
        }
        if (bytes != span.end() - span.begin()) {
            throw new FormatException.WrongShape(
                    path, span.name(), (span.end() - span.begin()) + " bytes", bytes + " bytes for the shape " + shape);
        }
    }

    private static void checkCover(Path path, List<Span> spans, long dataBytes) {
        spans.sort(Comparator.comparingLong(Span::begin).thenComparingLong(Span::end));
        long end = 0;
        for (var span : spans) {
            var found = "bytes from " + span.begin();
            var expected = "bytes from " + end + ", where the tensor before it ends";
            if (span.begin() < end) {
                throw new FormatException.Overlap(path, span.name(), found, expected);
            }
            if (span.begin() > end) {
                throw new FormatException.InvalidValue(path, span.name(), found, expected);
            }
            end = span.end();
            if (end > dataBytes) {
                throw new FormatException.Truncated(
                        path, span.name(), dataBytes + " bytes of data", "at least " + end + " bytes");
            }
        }
        if (end != dataBytes) {
            throw new FormatException.InvalidValue(
                    path, "size", dataBytes + " bytes of data", end + " bytes, the end of the last tensor");
        }
    }
}
