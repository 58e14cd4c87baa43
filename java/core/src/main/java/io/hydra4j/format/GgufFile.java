package io.hydra4j.format;

import io.hydra4j.FormatException;
import java.nio.file.Path;
import java.util.Collections;
import java.util.Map;

/**
 * The header of a GGUF file: metadata, and where each tensor lies. Nothing of the file is believed: counts, lengths, types,
 * offsets and shapes are compared with their limits and with the size of the file before they are used, and no more is
 * reserved than the file really holds. Tensor data is neither read nor mapped; a file that changes after it was read is the
 * caller's risk. Immutable, so safe to share between threads, as long as nobody writes to the arrays in the metadata.
 *
 * @param path the file
 * @param version 2 or 3
 * @param metadata values by key in the order of the file: integers are Long, floats Double, truth values Boolean, texts
 *     String; arrays String[], long[], double[], boolean[]
 * @param tensors tensors by name, in the order of the file; their bytes lie inside the file and do not overlap
 */
public record GgufFile(Path path, int version, Map<String, Object> metadata, Map<String, Tensor> tensors) {
    private static final int MAGIC = 0x46554747; // "GGUF" read as a little-endian number

    /**
     * Reads the header.
     *
     * @throws FormatException its nested classes, one for each kind of fault; an error that names the file and the field
     */
    public static GgufFile read(Path path) {
        try (var source = Source.open(path)) {
            var cursor = new GgufCursor(source);
            int version = readVersion(cursor);
            int tensorCount = GgufTensors.count(cursor);
            int pairCount = GgufValues.count(cursor);
            var metadata = GgufValues.read(cursor, pairCount);
            var tensors = GgufTensors.read(cursor, tensorCount, source.size(), new Fields(path, metadata));
            return new GgufFile(path, version, metadata, Collections.unmodifiableMap(tensors));
        }
    }

    /** The metadata, to be read with checks. */
    public Fields fields() {
        return new Fields(path, metadata);
    }

    /** The tensors, to be looked up with checks. */
    public TensorTable table() {
        return new TensorTable(path, tensors, Map.of());
    }

    private static int readVersion(GgufCursor cursor) {
        int magic = cursor.i32("magic");
        if (magic != MAGIC) {
            throw new FormatException.WrongMagic(
                    cursor.file(),
                    "magic",
                    String.format("0x%08x", Integer.reverseBytes(magic)),
                    "0x47475546 (\"GGUF\")",
                    "give a .gguf file, or the folder that has config.json and the weights or heads");
        }
        int version = cursor.i32("version");
        if (version != 2 && version != 3) {
            boolean bigEndian = (version & 0xFFFF) == 0 && version != 0;
            throw new FormatException.UnsupportedVersion(
                    cursor.file(),
                    "version",
                    bigEndian ? Integer.reverseBytes(version) + ", big-endian" : Integer.toUnsignedString(version),
                    "2 or 3, little-endian",
                    "convert the model again with a current converter");
        }
        return version;
    }
}
