package io.hydra4j.format;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Builds safetensors files byte by byte, and lets a test put one defect into them. */
public final class SafetensorsBytes {
    private final Map<String, String> entries = new LinkedHashMap<>();
    private final List<String> more = new ArrayList<>();
    private long dataBytes;

    /** What the first eight bytes say of the header's length, where that is not the truth. */
    public Long statedLength;

    /** Adds a tensor of zeros after the others. */
    public SafetensorsBytes tensor(String name, String type, long... shape) {
        long bytes = type.endsWith("64") ? 8 : type.endsWith("32") ? 4 : 2;
        for (long size : shape) {
            bytes *= size;
        }
        entries.put(name, entry(name, type, Arrays.toString(shape), dataBytes, dataBytes + bytes));
        dataBytes += bytes;
        return this;
    }

    /** Adds an entry to the header, and no data. */
    public SafetensorsBytes raw(String entry) {
        more.add(entry);
        return this;
    }

    public SafetensorsBytes dataBytes(long bytes) {
        dataBytes = bytes;
        return this;
    }

    public static String entry(String name, String type, String shape, long begin, long end) {
        return "\"" + name + "\":{\"dtype\":\"" + type + "\",\"shape\":" + shape + ",\"data_offsets\":[" + begin + ","
                + end + "]}";
    }

    public byte[] build() {
        var all = new ArrayList<>(entries.values());
        all.addAll(more);
        return build("{" + String.join(",", all) + "}");
    }

    /** The file with this header and the data of the tensors that were added. */
    public byte[] build(String header) {
        var utf8 = header.getBytes(StandardCharsets.UTF_8);
        return GgufBytes.bytes(
                statedLength == null ? (long) utf8.length : statedLength, utf8, new byte[(int) dataBytes]);
    }

    public Path write(Path file) {
        return GgufBytes.write(file, build());
    }
}
