package io.hydra4j.format;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import io.hydra4j.HydraException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Writes a safetensors file that {@link SafetensorsFile} and its reference implementation read. Metadata and tensors are added first, then
 * {@link #write} does the rest. The file appears under its name only when it is complete. Not thread-safe.
 */
public final class SafetensorsWriter {
    private static final int HEADER_ALIGNMENT = 8;

    private record Entry(TensorType type, List<Long> shape, GgufWriter.Content content) {
        long bytes() {
            return type.bytes(shape.stream().reduce(1L, Math::multiplyExact));
        }
    }

    private final Map<String, String> metadata = new LinkedHashMap<>();
    private final Map<String, Entry> tensors = new LinkedHashMap<>();

    /**
     * Adds a text to the metadata.
     *
     * @return this
     * @throws IllegalArgumentException if the name is there already
     */
    public SafetensorsWriter put(String name, String value) {
        if (metadata.putIfAbsent(name, value) != null) {
            throw new IllegalArgumentException("metadata " + name + " is there already");
        }
        return this;
    }

    /**
     * Adds a tensor.
     *
     * @param type F32, F16 or BF16
     * @param shape sizes, outermost first
     * @param content called once, from {@link #write}
     * @return this
     * @throws IllegalArgumentException if the name is there already, or is none, or the type is another
     */
    public SafetensorsWriter tensor(String name, TensorType type, List<Long> shape, GgufWriter.Content content) {
        if (!type.isFloat()) {
            throw new IllegalArgumentException("tensor " + name + " is " + type + ": give F32, F16 or BF16");
        }
        if (name.isEmpty()
                || name.startsWith("__")
                || tensors.putIfAbsent(name, new Entry(type, List.copyOf(shape), content)) != null) {
            throw new IllegalArgumentException("tensor " + name + " cannot be added, or is there already");
        }
        return this;
    }

    /**
     * Writes the file; one that is there is replaced.
     *
     * @throws HydraException if it cannot be written
     * @throws IllegalStateException if a tensor's content has not the length that its type and shape take
     */
    public void write(Path target) {
        WholeFile.write(target, out -> {
            byte[] header = header();
            ByteBuffer length = ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
            out.write(length.putLong(header.length).array());
            out.write(header);
            for (Map.Entry<String, Entry> tensor : tensors.entrySet()) {
                CountingStream counter = new CountingStream(out);
                tensor.getValue().content().write(counter);
                if (counter.count() != tensor.getValue().bytes()) {
                    throw new IllegalStateException(
                            "tensor " + tensor.getKey() + ": " + counter.count() + " bytes were written, expected "
                                    + tensor.getValue().bytes());
                }
            }
        });
    }

    private byte[] header() throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (JsonGenerator json = new JsonFactory().createGenerator(bytes)) {
            json.writeStartObject();
            if (!metadata.isEmpty()) {
                json.writeObjectFieldStart("__metadata__");
                for (Map.Entry<String, String> text : metadata.entrySet()) {
                    json.writeStringField(text.getKey(), text.getValue());
                }
                json.writeEndObject();
            }
            long offset = 0;
            for (Map.Entry<String, Entry> tensor : tensors.entrySet()) {
                Entry entry = tensor.getValue();
                json.writeObjectFieldStart(tensor.getKey());
                json.writeStringField("dtype", entry.type().name());
                json.writeFieldName("shape");
                json.writeArray(
                        entry.shape().stream().mapToLong(Long::longValue).toArray(),
                        0,
                        entry.shape().size());
                json.writeFieldName("data_offsets");
                json.writeArray(new long[] {offset, offset + entry.bytes()}, 0, 2);
                json.writeEndObject();
                offset += entry.bytes();
            }
            json.writeEndObject();
        }
        int padded = (bytes.size() + HEADER_ALIGNMENT - 1) / HEADER_ALIGNMENT * HEADER_ALIGNMENT;
        byte[] header = Arrays.copyOf(bytes.toByteArray(), padded);
        Arrays.fill(header, bytes.size(), padded, (byte) ' ');
        return header;
    }
}
