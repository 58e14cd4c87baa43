package io.hydra4j.format;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.UnaryOperator;

/** Builds GGUF files byte by byte, and lets a test put one defect into them. */
public final class GgufBytes {
    public static final int ALIGNMENT = 32;

    private record Pair(String key, byte[] typeAndValue) {}

    /** A tensor as the header has it; the dimensions innermost first. */
    public record Info(String name, int type, long[] dimensions, long offset) {
        public Info withName(String name) {
            return new Info(name, type, dimensions, offset);
        }

        public Info withType(int type) {
            return new Info(name, type, dimensions, offset);
        }

        public Info withDimensions(long... dimensions) {
            return new Info(name, type, dimensions, offset);
        }

        public Info withOffset(long offset) {
            return new Info(name, type, dimensions, offset);
        }
    }

    private final List<Pair> pairs = new ArrayList<>();
    private final List<Info> tensors = new ArrayList<>();
    private long dataBytes;

    public String magic = "GGUF";
    public int version = 3;
    /** What the header says of the counts, where that is not the truth. */
    public Long statedPairs;

    public Long statedTensors;

    /** Sets or replaces a value; the bytes are the value's type (u32) and the value. */
    public GgufBytes raw(String key, byte[] typeAndValue) {
        for (int i = 0; i < pairs.size(); i++) {
            if (pairs.get(i).key().equals(key)) {
                pairs.set(i, new Pair(key, typeAndValue));
                return this;
            }
        }
        return again(key, typeAndValue);
    }

    /** Adds a pair even if the key is there. */
    public GgufBytes again(String key, byte[] typeAndValue) {
        pairs.add(new Pair(key, typeAndValue));
        return this;
    }

    public GgufBytes without(String key) {
        pairs.removeIf(pair -> pair.key().equals(key));
        return this;
    }

    public GgufBytes u32(String key, long value) {
        return raw(key, bytes(4, (int) value));
    }

    public GgufBytes f32(String key, float value) {
        return raw(key, bytes(6, value));
    }

    public GgufBytes bool(String key, boolean value) {
        return raw(key, bytes(7, (byte) (value ? 1 : 0)));
    }

    public GgufBytes string(String key, String value) {
        return raw(key, bytes(8, value));
    }

    public GgufBytes strings(String key, String... values) {
        return raw(key, bytes(9, 8, (long) values.length, values));
    }

    public GgufBytes i32s(String key, int... values) {
        return raw(key, bytes(9, 5, (long) values.length, values));
    }

    public GgufBytes f32s(String key, float... values) {
        return raw(key, bytes(9, 6, (long) values.length, values));
    }

    /** Adds a tensor of zeros after the others; the dimensions innermost first. */
    public GgufBytes tensor(String name, TensorType type, long... dimensions) {
        long values = 1;
        for (long size : dimensions) {
            values *= size;
        }
        tensors.add(new Info(name, type.id(), dimensions, dataBytes));
        dataBytes = (dataBytes + type.bytes(values) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
        return this;
    }

    /** Changes what the header says of a tensor; its data stays as it was. */
    public GgufBytes change(String name, UnaryOperator<Info> change) {
        tensors.replaceAll(info -> info.name().equals(name) ? change.apply(info) : info);
        return this;
    }

    public GgufBytes withoutTensor(String name) {
        tensors.removeIf(info -> info.name().equals(name));
        return this;
    }

    public byte[] build() {
        var out = new ByteArrayOutputStream();
        out.writeBytes(magic.getBytes(StandardCharsets.ISO_8859_1));
        out.writeBytes(bytes(
                version,
                statedTensors == null ? (long) tensors.size() : statedTensors,
                statedPairs == null ? (long) pairs.size() : statedPairs));
        pairs.forEach(pair -> out.writeBytes(bytes(pair.key(), pair.typeAndValue())));
        for (Info info : tensors) {
            out.writeBytes(bytes(info.name(), info.dimensions().length, info.dimensions(), info.type(), info.offset()));
        }
        out.writeBytes(new byte[(ALIGNMENT - out.size() % ALIGNMENT) % ALIGNMENT]);
        out.writeBytes(new byte[(int) dataBytes]);
        return out.toByteArray();
    }

    public Path write(Path file) {
        return write(file, build());
    }

    public static Path write(Path file, byte[] bytes) {
        try {
            return Files.write(file, bytes);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Little-endian bytes of Byte, Integer, Long, Float, Double; texts with their length; arrays element by element. */
    public static byte[] bytes(Object... values) {
        var out = new ByteArrayOutputStream();
        for (Object value : values) {
            if (value instanceof String text) {
                var utf8 = text.getBytes(StandardCharsets.UTF_8);
                out.writeBytes(bytes((long) utf8.length, utf8));
            } else if (value instanceof byte[] array) {
                out.writeBytes(array);
            } else if (value instanceof Object[] array) {
                out.writeBytes(bytes(array));
            } else if (value instanceof int[] array) {
                for (int each : array) {
                    out.writeBytes(bytes(each));
                }
            } else if (value instanceof long[] array) {
                for (long each : array) {
                    out.writeBytes(bytes(each));
                }
            } else if (value instanceof float[] array) {
                for (float each : array) {
                    out.writeBytes(bytes(each));
                }
            } else {
                out.writeBytes(number(value));
            }
        }
        return out.toByteArray();
    }

    private static byte[] number(Object value) {
        var buffer = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN);
        if (value instanceof Byte number) {
            buffer.put(number);
        } else if (value instanceof Short number) {
            buffer.putShort(number);
        } else if (value instanceof Integer number) {
            buffer.putInt(number);
        } else if (value instanceof Long number) {
            buffer.putLong(number);
        } else if (value instanceof Float number) {
            buffer.putFloat(number);
        } else {
            buffer.putDouble((Double) value);
        }
        return Arrays.copyOf(buffer.array(), buffer.position());
    }
}
