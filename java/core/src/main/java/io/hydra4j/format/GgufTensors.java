package io.hydra4j.format;

import io.hydra4j.FormatException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Reads the tensor section of a GGUF header and checks where each tensor lies. */
final class GgufTensors {
    /** The most tensors of a file. */
    static final int MAX_TENSORS = 1 << 16;
    /** The most dimensions of a tensor. */
    static final int MAX_RANK = 4;
    /** The most values of a tensor, and the largest offset in bytes; their sum in bytes still fits a long. */
    static final long MAX_VALUES = 1L << 48;

    static final String ALIGNMENT_KEY = "general.alignment";
    static final int DEFAULT_ALIGNMENT = 32;

    private static final int MIN_ALIGNMENT = 8;
    private static final int MAX_ALIGNMENT = 1 << 20;
    // A name of one byte with its length, the rank, one dimension, the type, the offset.
    private static final int MIN_INFO_BYTES = 8 + 1 + 4 + 8 + 4 + 8;

    private GgufTensors() {}

    static int count(GgufCursor cursor) {
        return cursor.count("tensor count", MAX_TENSORS, MIN_INFO_BYTES);
    }

    static Map<String, Tensor> read(GgufCursor cursor, int count, long fileSize, Fields metadata) {
        var infos = new LinkedHashMap<String, Tensor>();
        for (int i = 0; i < count; i++) {
            var info = readInfo(cursor, "tensor " + i);
            if (infos.put(info.name(), info) != null) {
                throw new FormatException.DuplicateKey(cursor.file(), info.name());
            }
        }
        int alignment = alignment(metadata);
        long dataStart = (cursor.position() + alignment - 1) / alignment * alignment;
        infos.replaceAll((name, info) -> place(info, dataStart, alignment, fileSize));
        checkOverlaps(cursor.file(), new ArrayList<>(infos.values()));
        return infos;
    }

    static int alignment(Fields metadata) {
        int alignment = metadata.integer(ALIGNMENT_KEY, DEFAULT_ALIGNMENT, MIN_ALIGNMENT, MAX_ALIGNMENT);
        if (Integer.bitCount(alignment) != 1) {
            throw metadata.invalid(ALIGNMENT_KEY, "a power of two");
        }
        return alignment;
    }

    /** The tensor with its offset still relative to the data section. */
    private static Tensor readInfo(GgufCursor cursor, String field) {
        var name = Utf8.checkName(cursor.string(field), cursor.file(), field);
        long rank = cursor.u32(name);
        if (rank < 1 || rank > MAX_RANK) {
            throw new FormatException.WrongShape(
                    cursor.file(), name, rank + " dimensions", "1 to " + MAX_RANK + " dimensions");
        }
        var shape = new ArrayList<Long>();
        long values = 1;
        for (int i = 0; i < rank; i++) {
            long size = cursor.u64(name, MAX_VALUES);
            if (size == 0) {
                throw new FormatException.WrongShape(
                        cursor.file(), name, "a dimension of 0", "dimensions of 1 or more");
            }
            if (values > MAX_VALUES / size) {
                throw new FormatException.TooLarge(
                        cursor.file(), name, "more than " + MAX_VALUES + " values", "at most " + MAX_VALUES);
            }
            values *= size;
            shape.add(size);
        }
        var type = type(cursor, name);
        if (shape.get(0) % type.blockValues() != 0) {
            throw new FormatException.WrongShape(
                    cursor.file(),
                    name,
                    "rows of " + shape.get(0),
                    "a multiple of " + type.blockValues() + " for " + type);
        }
        Collections.reverse(shape); // GGUF has the innermost size first
        return new Tensor(cursor.file(), name, type, shape, cursor.u64(name, MAX_VALUES), type.bytes(values));
    }

    private static TensorType type(GgufCursor cursor, String name) {
        long id = cursor.u32(name);
        return TensorType.ofId(id)
                .orElseThrow(
                        () -> new FormatException.UnsupportedType(
                                cursor.file(),
                                name,
                                "tensor type " + TensorType.nameOf(id),
                                "one of " + List.of(TensorType.values()),
                                "take a file of the model in Q4_K_M, Q5_K_M, Q6_K or Q8_0, or quantise it to one of these types"));
    }

    private static Tensor place(Tensor info, long dataStart, int alignment, long fileSize) {
        if (info.offset() % alignment != 0) {
            throw new FormatException.InvalidValue(
                    info.file(), info.name(), "offset " + info.offset(), "a multiple of the alignment " + alignment);
        }
        long offset = dataStart + info.offset();
        if (offset + info.bytes() > fileSize) {
            throw new FormatException.Truncated(
                    info.file(), info.name(), "a file of " + fileSize + " bytes", (offset + info.bytes()) + " bytes");
        }
        return new Tensor(info.file(), info.name(), info.type(), info.shape(), offset, info.bytes());
    }

    private static void checkOverlaps(Path file, List<Tensor> tensors) {
        tensors.sort(Comparator.comparingLong(Tensor::offset));
        for (int i = 1; i < tensors.size(); i++) {
            var before = tensors.get(i - 1);
            var tensor = tensors.get(i);
            if (tensor.offset() < before.offset() + before.bytes()) {
                throw new FormatException.Overlap(
                        file,
                        tensor.name(),
                        "bytes from " + tensor.offset(),
                        "bytes from " + (before.offset() + before.bytes()) + ", after " + before.name());
            }
        }
    }
}
