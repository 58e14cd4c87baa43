package io.hydra4j.format;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/** Builds checkpoints as torch.save writes them, and lets a test put one defect into them. */
public final class TorchBytes {
    public static final String FOLDER = "archive";

    private final ByteArrayOutputStream pickle = new ByteArrayOutputStream();
    private final Map<String, byte[]> entries = new LinkedHashMap<>();
    private int storages;

    public TorchBytes() {
        pickle.write(0x80);
        pickle.write(2);
        text("ccollections\nOrderedDict\n)R(");
    }

    /** A checkpoint with tensors of these names, types and shapes, all zeros. */
    public static TorchBytes like(TensorTable table) {
        var file = new TorchBytes();
        for (Tensor tensor : table.tensors().values()) {
            file.tensor(
                    tensor.name(),
                    switch (tensor.type()) {
                        case F32 -> "FloatStorage";
                        case F16 -> "HalfStorage";
                        default -> "BFloat16Storage";
                    },
                    tensor.shape().stream().mapToLong(Long::longValue).toArray());
        }
        return file;
    }

    /** Adds a tensor of zeros with a storage of its own. */
    public TorchBytes tensor(String name, String storage, long... shape) {
        long values = 1;
        for (long size : shape) {
            values *= size;
        }
        int valueBytes =
                storage.matches("(Half|BFloat16|Short)Storage") ? 2 : storage.matches("(Float|Int)Storage") ? 4 : 8;
        entries.put(FOLDER + "/data/" + storages, new byte[(int) (values * valueBytes)]);
        return tensor(name, storage, storages++, values, 0, shape, contiguous(shape));
    }

    /** Adds a tensor in the last storage. */
    public TorchBytes alias(String name, String storage, long values, long offset, long[] shape, long[] strides) {
        return tensor(name, storage, storages - 1, values, offset, shape, strides);
    }

    private TorchBytes tensor(
            String name, String storage, int key, long values, long offset, long[] shape, long[] strides) {
        unicode(name);
        text("ctorch._utils\n_rebuild_tensor_v2\n((");
        unicode("storage");
        text("ctorch\n" + storage + "\n");
        unicode("" + key);
        unicode("cpu");
        number(values);
        text("tQ");
        number(offset);
        tuple(shape);
        tuple(strides);
        pickle.write(0x89);
        text("ccollections\nOrderedDict\n)RtR");
        return this;
    }

    /** Adds opcodes between the tensors. */
    public TorchBytes raw(byte[] opcodes) {
        pickle.writeBytes(opcodes);
        return this;
    }

    public static long[] contiguous(long... shape) {
        var strides = new long[shape.length];
        long values = 1;
        for (int i = shape.length - 1; i >= 0; i--) {
            strides[i] = values;
            values *= shape[i];
        }
        return strides;
    }

    /** The pickle, with the versions of modules that torch leaves after the tensors. */
    public byte[] pickle() {
        var whole = new ByteArrayOutputStream();
        whole.writeBytes(pickle.toByteArray());
        whole.writeBytes("u}X".getBytes(StandardCharsets.US_ASCII));
        whole.writeBytes(GgufBytes.bytes(9));
        whole.writeBytes("_metadata}sb.".getBytes(StandardCharsets.US_ASCII));
        return whole.toByteArray();
    }

    public byte[] build() {
        return build(pickle());
    }

    /** The file with this pickle and the storages of the tensors that were added. */
    public byte[] build(byte[] itsPickle) {
        var all = new LinkedHashMap<String, byte[]>();
        all.put(FOLDER + "/data.pkl", itsPickle);
        all.put(FOLDER + "/byteorder", "little".getBytes(StandardCharsets.US_ASCII));
        all.putAll(entries);
        all.put(FOLDER + "/version", "3\n".getBytes(StandardCharsets.US_ASCII));
        return zip(all, ZipEntry.STORED);
    }

    /** The same bytes whenever they are made. */
    private static final LocalDateTime WRITTEN = LocalDateTime.of(2020, 1, 1, 0, 0);

    public static byte[] zip(Map<String, byte[]> entries, int method) {
        var out = new ByteArrayOutputStream();
        try (var zip = new ZipOutputStream(out)) {
            for (var each : entries.entrySet()) {
                var entry = new ZipEntry(each.getKey());
                var sum = new CRC32();
                sum.update(each.getValue());
                entry.setTimeLocal(WRITTEN);
                entry.setMethod(method);
                entry.setSize(each.getValue().length);
                entry.setCrc(sum.getValue());
                zip.putNextEntry(entry);
                zip.write(each.getValue());
                zip.closeEntry();
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return out.toByteArray();
    }

    public Path write(Path file) {
        return GgufBytes.write(file, build());
    }

    private void text(String ascii) {
        pickle.writeBytes(ascii.getBytes(StandardCharsets.US_ASCII));
    }

    private void unicode(String value) {
        var utf8 = value.getBytes(StandardCharsets.UTF_8);
        pickle.write('X');
        pickle.writeBytes(GgufBytes.bytes(utf8.length));
        pickle.writeBytes(utf8);
    }

    private void tuple(long... values) {
        pickle.write('(');
        for (long value : values) {
            number(value);
        }
        pickle.write('t');
    }

    private void number(long value) {
        pickle.write(0x8A);
        pickle.write(Long.BYTES);
        pickle.writeBytes(GgufBytes.bytes(value));
    }
}
