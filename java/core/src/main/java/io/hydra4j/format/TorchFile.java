package io.hydra4j.format;

import io.hydra4j.FormatException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.zip.CRC32;

/**
 * Reads what {@code torch.save} writes of a dictionary of tensors: a zip file with a pickle that describes the tensors and an entry
 * for the values of each storage. Nothing is executed ({@link TorchPickle}), and the values are neither read nor mapped: a tensor
 * lies in the file as those of safetensors do. Tensors that share a storage lie at the same place.
 */
public final class TorchFile {
    private static final String PICKLE = "/data.pkl";
    private static final String ORDER = "/byteorder";
    private static final byte[] ZIP = {'P', 'K', 3, 4};
    /** The pickled number that begins the format of before torch 1.6. */
    private static final byte[] OLD = {
        (byte) 0x80, 2, (byte) 0x8A, 10, 'l', (byte) 0xFC, (byte) 0x9C, 'F', (byte) 0xF9, ' ', 'j', (byte) 0xA8, 'P', 25
    };

    private final Source source;
    private final Map<String, StoredZip.Entry> entries;
    private final String folder;

    private TorchFile(Source source, Map<String, StoredZip.Entry> entries, String folder) {
        this.source = source;
        this.entries = entries;
        this.folder = folder;
    }

    /**
     * Reads the description of the tensors.
     *
     * @return the tensors of types that this library reads; the others are no error until needed
     * @throws FormatException its nested classes, one for each kind of fault
     */
    public static TensorTable read(Path path) {
        try (var source = Source.open(path)) {
            checkBegin(source);
            var entries = StoredZip.read(source);
            var pickle = entries.keySet().stream()
                    .filter(name -> name.indexOf('/') == name.length() - PICKLE.length() && name.endsWith(PICKLE))
                    .findFirst()
                    .orElseThrow(() -> new FormatException.MissingField(path, "data.pkl", "what torch.save writes"));
            var folder = pickle.substring(0, pickle.length() - PICKLE.length());
            return new TorchFile(source, entries, folder).table(entries.get(pickle));
        }
    }

    private static void checkBegin(Source source) {
        var begin = source.read(0, (int) Math.min(source.size(), OLD.length), "magic");
        if (Arrays.equals(begin, OLD)) {
            throw new FormatException.UnsupportedVersion(
                    source.file(),
                    "magic",
                    "torch's format of before version 1.6",
                    "its zip format",
                    "load it with torch and save it again, or convert it to safetensors");
        }
        if (begin.length < ZIP.length || !Arrays.equals(begin, 0, ZIP.length, ZIP, 0, ZIP.length)) {
            throw new FormatException.WrongMagic(
                    source.file(), "magic", "no zip file", "what torch.save writes", "download the checkpoint again");
        }
    }

    private TensorTable table(StoredZip.Entry pickle) {
        var order = entries.get(folder + ORDER);
        if (order != null && !new String(contents(order, 16), StandardCharsets.UTF_8).equals("little")) {
            throw new FormatException.UnsupportedType(
                    source.file(), order.name(), "another byte order", "little", "save it on another kind of machine");
        }
        var views = TorchPickle.read(source.file(), pickle.name(), contents(pickle, TorchPickle.MAX_BYTES));
        if (views.size() > SafetensorsFile.MAX_TENSORS) {
            throw new FormatException.TooLarge(
                    source.file(), pickle.name(), views.size() + " tensors", "at most " + SafetensorsFile.MAX_TENSORS);
        }
        var tensors = new LinkedHashMap<String, Tensor>();
        var otherTypes = new LinkedHashMap<String, String>();
        views.forEach((name, view) -> {
            var values = valuesOf(name, view.storage());
            var type = view.storage().type();
            type.type()
                    .ifPresentOrElse(
                            known -> tensors.put(name, tensor(name, view, known, values)),
                            () -> otherTypes.put(name, type.name()));
        });
        return new TensorTable(source.file(), tensors, otherTypes);
    }

    private Tensor tensor(String name, TorchPickle.View view, TensorType type, StoredZip.Entry values) {
        int valueBytes = view.storage().type().valueBytes();
        return new Tensor(
                source.file(),
                name,
                type,
                view.shape(),
                values.offset() + view.offset() * valueBytes,
                view.values() * valueBytes);
    }

    /** The entry of a storage, which has as many bytes as the storage. */
    private StoredZip.Entry valuesOf(String name, TorchPickle.Storage storage) {
        var entryName = folder + "/data/" + storage.key();
        var entry = entries.get(entryName);
        if (entry == null) {
            throw new FormatException.MissingField(source.file(), entryName, "the values of " + name);
        }
        int valueBytes = storage.type().valueBytes();
        if (entry.bytes() % valueBytes != 0 || entry.bytes() / valueBytes != storage.values()) {
            throw new FormatException.WrongShape(
                    source.file(), name, entry.bytes() + " bytes", storage.values() + " values of " + valueBytes);
        }
        return entry;
    }

    private byte[] contents(StoredZip.Entry entry, int limit) {
        if (entry.bytes() > limit) {
            throw new FormatException.TooLarge(
                    source.file(), entry.name(), entry.bytes() + " bytes", "at most " + limit);
        }
        var contents = source.read(entry.offset(), (int) entry.bytes(), entry.name());
        var sum = new CRC32();
        sum.update(contents);
        if ((int) sum.getValue() != entry.crc()) {
            throw new FormatException.InvalidValue(
                    source.file(), entry.name(), "bytes that are not those of their check sum", "a whole copy");
        }
        return contents;
    }
}
