package io.hydra4j.format;

import io.hydra4j.HydraException;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Writes a GGUF file of version 3, little-endian, that {@link GgufFile} and llama.cpp read. Metadata and tensors are added
 * first, then {@link #write} does the rest. The file appears under its name only when it is complete. Not thread-safe.
 */
public final class GgufWriter {
    /** What a tensor's bytes come from. */
    @FunctionalInterface
    public interface Content {
        /**
         * Writes the tensor's bytes, neither more nor fewer than its type and shape take, and does not close the stream.
         *
         * @throws IOException if the stream fails
         */
        void write(OutputStream out) throws IOException;
    }

    private record Entry(TensorType type, List<Long> shape, Content content) {
        long bytes() {
            long values = 1;
            for (long size : shape) {
                values = Math.multiplyExact(values, size);
            }
            return type.bytes(values);
        }
    }

    private static final int MAGIC = 0x46554747; // "GGUF" written as a little-endian number
    private static final int VERSION = 3;
    private static final int ALIGNMENT = GgufTensors.DEFAULT_ALIGNMENT;

    private final Map<String, Object> metadata = new LinkedHashMap<>();
    private final Map<String, Entry> tensors = new LinkedHashMap<>();

    /**
     * Adds a value, of the kinds that {@link GgufFile#metadata()} gives: Long, Double, Boolean, String, String[], long[],
     * double[] or boolean[]; Integer and Float are welcome too. Each takes the narrowest of GGUF's types that readers expect:
     * U32 or else I64 for integers (I32 or else I64 in arrays), F32 where it loses nothing or else F64.
     *
     * @return this
     * @throws IllegalArgumentException if the key is there already, is not a name, or the value is of no such kind
     */
    public GgufWriter put(String key, Object value) {
        if (key.isEmpty() || key.equals(GgufTensors.ALIGNMENT_KEY) || metadata.containsKey(key)) {
            throw new IllegalArgumentException("key " + key + " cannot be set, or is set already");
        }
        GgufEncoder.checkKind(key, value);
        metadata.put(key, value);
        return this;
    }

    /**
     * Adds a tensor.
     *
     * @param shape sizes, outermost first, 1 to 4 of them, each 1 or more
     * @param content called once, from {@link #write}
     * @return this
     * @throws IllegalArgumentException if the name is there already, or the shape cannot be
     */
    public GgufWriter tensor(String name, TensorType type, List<Long> shape, Content content) {
        if (name.isEmpty() || tensors.containsKey(name)) {
            throw new IllegalArgumentException("tensor " + name + " cannot be added, or is there already");
        }
        if (shape.isEmpty()
                || shape.size() > GgufTensors.MAX_RANK
                || shape.stream().anyMatch(size -> size < 1)
                || shape.get(shape.size() - 1) % type.blockValues() != 0) {
            throw new IllegalArgumentException("tensor " + name + " cannot have the shape " + shape + " in " + type);
        }
        tensors.put(name, new Entry(type, List.copyOf(shape), content));
        return this;
    }

    /**
     * Writes the file as a whole or not at all, over a file that may be there.
     *
     * @throws HydraException if the file cannot be written
     * @throws IllegalStateException if a tensor's content is not as long as its type and shape say
     */
    public void write(Path target) {
        WholeFile.write(target, this::writeTo);
    }

    private void writeTo(OutputStream stream) throws IOException {
        var out = new CountingStream(stream);
        out.write(header());
        out.padTo(ALIGNMENT);
        for (var tensor : tensors.entrySet()) {
            long start = out.count();
            tensor.getValue().content().write(out);
            long written = out.count() - start;
            if (written != tensor.getValue().bytes()) {
                throw new IllegalStateException("tensor " + tensor.getKey() + ": " + written + " bytes written, not "
                        + tensor.getValue().bytes());
            }
            out.padTo(ALIGNMENT);
        }
    }

    private byte[] header() {
        var encoder = new GgufEncoder();
        encoder.i32(MAGIC);
        encoder.i32(VERSION);
        encoder.i64(tensors.size());
        encoder.i64(metadata.size());
        metadata.forEach(encoder::pair);
        long offset = 0;
        for (var tensor : tensors.entrySet()) {
            var entry = tensor.getValue();
            var innermostFirst = new ArrayList<>(entry.shape());
            Collections.reverse(innermostFirst);
            encoder.string(tensor.getKey());
            encoder.i32(innermostFirst.size());
            innermostFirst.forEach(encoder::i64);
            encoder.i32(entry.type().id());
            encoder.i64(offset);
            offset = (offset + entry.bytes() + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
        }
        return encoder.bytes();
    }
}
