package io.hydra4j.format;

import io.hydra4j.FormatException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Reads the pickle of a torch checkpoint as what it says of tensors, and runs nothing: it knows dictionaries, texts, whole
 * numbers, tuples, torch's storages and the two functions that rebuild tensors. Any other opcode or global is an error that names it.
 */
final class TorchPickle {
    /** The longest pickle, in bytes: what describes 32,768 tensors takes about 8 MB. */
    static final int MAX_BYTES = 32 << 20;

    /** The most opcodes, and so the most values: 32,768 tensors take about a million and a half. */
    private static final int MAX_OPCODES = 1 << 21;

    private static final int MAX_TEXT_BYTES = 1 << 12;
    private static final int MAX_PROTOCOL = 5;
    private static final int MAX_RANK = SafetensorsFile.MAX_RANK;
    private static final Global DICTIONARY = new Global("collections", "OrderedDict");
    private static final Global TENSOR = new Global("torch._utils", "_rebuild_tensor_v2");
    private static final Global PARAMETER = new Global("torch._utils", "_rebuild_parameter");
    private static final String REMEDY =
            "a checkpoint is read without running what it holds: get one of tensors alone, or convert it to safetensors";

    /** Types of storages by torch's name. */
    enum StorageType {
        FloatStorage(4, TensorType.F32),
        HalfStorage(2, TensorType.F16),
        BFloat16Storage(2, TensorType.BF16),
        DoubleStorage(8, null),
        LongStorage(8, null),
        IntStorage(4, null),
        ShortStorage(2, null),
        CharStorage(1, null),
        ByteStorage(1, null),
        BoolStorage(1, null);

        private final int valueBytes;
        private final TensorType type;

        StorageType(int valueBytes, TensorType type) {
            this.valueBytes = valueBytes;
            this.type = type;
        }

        int valueBytes() {
            return valueBytes;
        }

        /** What this library calls it; empty where it does not read such values. */
        Optional<TensorType> type() {
            return Optional.ofNullable(type);
        }

        private static Optional<StorageType> of(Global global) {
            return Arrays.stream(values())
                    .filter(type -> global.equals(new Global("torch", type.name())))
                    .findFirst();
        }
    }

    /**
     * Memory that tensors lie in.
     *
     * @param key the name of the entry that has its bytes
     * @param values how many values there are
     */
    record Storage(StorageType type, String key, long values) {}

    /**
     * A tensor whose values lie one after the other.
     *
     * @param offset of its first value, in values
     * @param shape sizes, outermost first
     * @param values how many there are
     */
    record View(Storage storage, long offset, List<Long> shape, long values) {}

    private record Global(String module, String name) {
        @Override
        public String toString() {
            return module + "." + name;
        }
    }

    /** A dictionary that may still grow, and may lie in itself: it is equal to itself alone. */
    private static final class Dictionary {
        private final Map<String, Object> values = new LinkedHashMap<>();
    }

    /** A tuple, which may hold itself as well. */
    private static final class Tuple {
        private final List<Object> values;

        Tuple(List<Object> values) {
            this.values = List.copyOf(values);
        }
    }

    private enum None {
        NONE
    }

    private final Path file;
    private final String field;
    private final ByteBuffer bytes;
    private final List<Object> stack = new ArrayList<>();
    private final List<Integer> marks = new ArrayList<>();
    private final Map<Long, Object> memo = new HashMap<>();
    private int opcodes;

    private TorchPickle(Path file, String field, byte[] bytes) {
        this.file = file;
        this.field = field;
        this.bytes = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    }

    /**
     * Reads a dictionary of tensors.
     *
     * @param file the file and {@code field} the entry that errors name
     * @return the tensors by name, in the dictionary's order
     * @throws FormatException its nested classes, one for each kind of fault
     */
    static Map<String, View> read(Path file, String field, byte[] bytes) {
        var pickle = new TorchPickle(file, field, bytes);
        if (!(pickle.run() instanceof Dictionary dictionary)) {
            throw pickle.invalid("no dictionary", "a dictionary of tensors");
        }
        var tensors = new LinkedHashMap<String, View>();
        dictionary.values.forEach((name, value) -> {
            Utf8.checkName(name, file, field);
            if (!(value instanceof View tensor)) {
                throw new FormatException.InvalidValue(file, name, kind(value), "a tensor");
            }
            tensors.put(name, tensor);
        });
        return tensors;
    }

    /** Runs the opcodes to the one that ends them. */
    private Object run() {
        while (true) {
            int at = bytes.position();
            int opcode = need(1, "an opcode").get() & 0xFF;
            if (opcode == '.') {
                var result = pop();
                if (!stack.isEmpty() || !marks.isEmpty() || bytes.hasRemaining()) {
                    throw invalid("more than one value", "one, and the end of the pickle after it");
                }
                return result;
            }
            step(opcode, at);
        }
    }

    private void step(int opcode, int at) {
        if (++opcodes > MAX_OPCODES) {
            throw new FormatException.TooLarge(file, field, "more opcodes", "at most " + MAX_OPCODES);
        }
        switch (opcode) {
            case 0x80 -> requireProtocol();
            case 0x95 -> need(8, "a frame").getLong(); // a length that helps who reads from a stream
            case 'N' -> push(None.NONE);
            case 0x88, 0x89 -> push(opcode == 0x88);
            case 'J' -> push((long) need(4, "a number").getInt());
            case 'K' -> push((long) (need(1, "a number").get() & 0xFF));
            case 'M' -> push((long) (need(2, "a number").getShort() & 0xFFFF));
            case 0x8A -> push(longOf(need(1, "a length").get() & 0xFF));
            case 'X' -> push(text(need(4, "a length").getInt() & 0xFFFF_FFFFL));
            case 0x8C -> push(text(need(1, "a length").get() & 0xFF));
            case '(' -> marks.add(stack.size());
            case ')' -> push(new Tuple(List.of()));
            case 0x85, 0x86, 0x87 -> push(new Tuple(popLast(opcode - 0x84)));
            case 't' -> push(new Tuple(popMarked()));
            case '}' -> push(new Dictionary());
            case 's' -> setItems(popLast(2));
            case 'u' -> setItems(popMarked());
            case 'q' -> memo.put((long) (need(1, "an index").get() & 0xFF), top());
            case 'r' -> memo.put(need(4, "an index").getInt() & 0xFFFF_FFFFL, top());
            case 0x94 -> memo.put((long) memo.size(), top());
            case 'h' -> push(remembered(need(1, "an index").get() & 0xFF));
            case 'j' -> push(remembered(need(4, "an index").getInt() & 0xFFFF_FFFFL));
            case 'c' -> push(known(new Global(line(), line())));
            case 0x93 -> {
                var name = popLast(2);
                push(known(new Global(
                        as(String.class, name.get(0), "a module"), as(String.class, name.get(1), "a name"))));
            }
            case 'Q' -> push(storage(as(Tuple.class, pop(), "a storage").values));
            case 'R' -> {
                var call = popLast(2);
                push(rebuild(
                        as(Global.class, call.get(0), "a function"), as(Tuple.class, call.get(1), "arguments").values));
            }
            case 'b' -> {
                // What a module says of its versions; it is no tensor, and nothing depends on it.
                as(Dictionary.class, pop(), "a dictionary of attributes");
                as(Dictionary.class, top(), "a dictionary");
            }
            default -> throw new FormatException.UnsupportedType(
                    file,
                    field + " at byte " + at,
                    String.format("opcode 0x%02X", opcode),
                    "those that describe dictionaries of tensors",
                    REMEDY);
        }
    }

    private void requireProtocol() {
        int protocol = need(1, "a protocol").get() & 0xFF;
        if (protocol < 2 || protocol > MAX_PROTOCOL) {
            throw new FormatException.UnsupportedVersion(
                    file,
                    field,
                    "pickle protocol " + protocol,
                    "2 to " + MAX_PROTOCOL,
                    "save it with torch.save again");
        }
    }

    private Object known(Global global) {
        var storage = StorageType.of(global);
        if (storage.isPresent()) {
            return storage.get();
        }
        if (global.equals(DICTIONARY) || global.equals(TENSOR) || global.equals(PARAMETER)) {
            return global;
        }
        throw new FormatException.UnsupportedType(
                file,
                field + " at byte " + bytes.position(),
                "the global " + global,
                "torch's storages and tensors, and collections.OrderedDict",
                REMEDY);
    }

    private Storage storage(List<Object> of) {
        if (of.size() != 5 || !of.get(0).equals("storage")) {
            throw invalid("a reference that is no storage", "(\"storage\", type, key, location, values)");
        }
        long values = as(Long.class, of.get(4), "the values of a storage");
        if (values < 0) {
            throw invalid("a storage of " + values + " values", "0 or more");
        }
        return new Storage(
                as(StorageType.class, of.get(1), "the type of a storage"),
                as(String.class, of.get(2), "the key of a storage"),
                values);
    }

    private Object rebuild(Global function, List<Object> arguments) {
        if (function.equals(DICTIONARY)) {
            require(arguments.isEmpty(), function, arguments);
            return new Dictionary();
        }
        if (function.equals(PARAMETER)) {
            require(arguments.size() == 3, function, arguments);
            return as(View.class, arguments.get(0), "a tensor");
        }
        require(arguments.size() == 6 || arguments.size() == 7, function, arguments);
        var storage = as(Storage.class, arguments.get(0), "a storage");
        long offset = as(Long.class, arguments.get(1), "an offset");
        var shape = sizes(arguments.get(2), "a shape");
        var strides = sizes(arguments.get(3), "strides");
        if (strides.size() != shape.size()) {
            throw invalid(strides.size() + " strides", "one for each size of " + shape);
        }
        long values = 1;
        for (int i = shape.size() - 1; i >= 0; i--) {
            long size = shape.get(i);
            if (size > 1 && strides.get(i) != values) {
                throw new FormatException.UnsupportedType(
                        file,
                        field,
                        "a tensor of shape " + shape + " with strides " + strides,
                        "values one after the other",
                        "call contiguous() before saving");
            }
            if (size != 0 && values > Long.MAX_VALUE / size) {
                throw new FormatException.TooLarge(file, field, "a tensor of shape " + shape, "at most 2^63 values");
            }
            values *= size;
        }
        if (offset < 0 || values > storage.values() || offset > storage.values() - values) {
            throw new FormatException.WrongShape(
                    file,
                    field,
                    "a tensor of shape " + shape + " from value " + offset,
                    "one inside the " + storage.values() + " values of storage " + storage.key());
        }
        return new View(storage, offset, shape, values);
    }

    private void require(boolean fits, Global function, List<Object> arguments) {
        if (!fits) {
            throw invalid(arguments.size() + " arguments of " + function, "as many as torch gives it");
        }
    }

    private List<Long> sizes(Object tuple, String what) {
        var values = as(Tuple.class, tuple, what).values;
        if (values.size() > MAX_RANK) {
            throw new FormatException.TooLarge(file, field, values.size() + " dimensions", "at most " + MAX_RANK);
        }
        var sizes = new ArrayList<Long>();
        for (Object value : values) {
            long size = as(Long.class, value, "a size");
            if (size < 0) {
                throw invalid(size + " as a size", "0 or more");
            }
            sizes.add(size);
        }
        return List.copyOf(sizes);
    }

    private void setItems(List<Object> keysAndValues) {
        if (keysAndValues.size() % 2 != 0) {
            throw invalid("a key without a value", "pairs");
        }
        var into = as(Dictionary.class, top(), "a dictionary");
        for (int i = 0; i < keysAndValues.size(); i += 2) {
            var key = as(String.class, keysAndValues.get(i), "a key");
            if (into.values.put(key, keysAndValues.get(i + 1)) != null) {
                throw new FormatException.DuplicateKey(file, key);
            }
        }
    }

    private long longOf(int length) {
        if (length > Long.BYTES) {
            throw new FormatException.TooLarge(file, field, "a number of " + length + " bytes", "at most 8");
        }
        var from = need(length, "a number");
        long value = 0;
        for (int i = 0; i < length; i++) {
            value |= (from.get() & 0xFFL) << (8 * i);
        }
        int unused = Long.SIZE - 8 * length;
        return length == 0 ? 0 : value << unused >> unused;
    }

    private String text(long length) {
        if (length > MAX_TEXT_BYTES) {
            throw new FormatException.TooLarge(
                    file, field, "a text of " + length + " bytes", "at most " + MAX_TEXT_BYTES);
        }
        int begin = need((int) length, "a text").position();
        bytes.position(begin + (int) length);
        return Utf8.decode(bytes.array(), begin, (int) length, file, field);
    }

    private String line() {
        int begin = bytes.position();
        int end = begin;
        while (end < bytes.limit() && bytes.get(end) != '\n' && end - begin < MAX_TEXT_BYTES) {
            end++;
        }
        need(end - begin + 1, "a line");
        if (bytes.get(end) != '\n') {
            throw new FormatException.TooLarge(file, field, "a longer line", "at most " + MAX_TEXT_BYTES + " bytes");
        }
        bytes.position(end + 1);
        return Utf8.decode(bytes.array(), begin, end - begin, file, field);
    }

    private Object remembered(long index) {
        var value = memo.get(index);
        if (value == null) {
            throw invalid("a reference to value " + index, "one to a value before it");
        }
        return value;
    }

    private void push(Object value) {
        stack.add(value);
    }

    /** Values above the last mark are the only ones that an opcode may take. */
    private int bottom() {
        return marks.isEmpty() ? 0 : marks.get(marks.size() - 1);
    }

    private Object top() {
        if (stack.size() <= bottom()) {
            throw invalid("no value", "one that an opcode takes");
        }
        return stack.get(stack.size() - 1);
    }

    private Object pop() {
        var top = top();
        stack.remove(stack.size() - 1);
        return top;
    }

    private List<Object> popLast(int count) {
        if (stack.size() - bottom() < count) {
            throw invalid("fewer than " + count + " values", "as many as an opcode takes");
        }
        var last = stack.subList(stack.size() - count, stack.size());
        var values = List.copyOf(last);
        last.clear();
        return values;
    }

    private List<Object> popMarked() {
        if (marks.isEmpty()) {
            throw invalid("no mark", "one that an opcode goes back to");
        }
        var values = popLast(stack.size() - bottom());
        marks.remove(marks.size() - 1);
        return values;
    }

    private <T> T as(Class<T> type, Object value, String what) {
        if (!type.isInstance(value)) {
            throw invalid(kind(value), what);
        }
        return type.cast(value);
    }

    private ByteBuffer need(int length, String what) {
        if (length > bytes.remaining()) {
            throw new FormatException.Truncated(file, field, bytes.remaining() + " bytes", length + " for " + what);
        }
        return bytes;
    }

    private FormatException invalid(String found, String expected) {
        return new FormatException.InvalidValue(file, field + " at byte " + bytes.position(), found, expected);
    }

    private static String kind(Object value) {
        if (value instanceof View) {
            return "a tensor";
        }
        if (value instanceof Storage) {
            return "a storage";
        }
        if (value instanceof Dictionary) {
            return "a dictionary";
        }
        if (value instanceof Tuple) {
            return "a tuple";
        }
        if (value instanceof String) {
            return "a text";
        }
        if (value instanceof Long || value instanceof Boolean) {
            return "the value " + value;
        }
        return value == None.NONE ? "None" : "a function or type";
    }
}
