package io.hydra4j.format;

import io.hydra4j.FormatException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/**
 * The named values of a GGUF header or a JSON object, read with checks of kind and range, so that every error names file
 * and field. A JSON null counts as absent. Immutable, so safe to share between threads.
 */
public final class Fields {
    private final Path file;
    private final String prefix;
    private final Map<String, Object> values;

    /**
     * @param file the file that errors name
     * @param prefix put before the names in errors, such as {@code object.}; empty for nothing
     * @param values as {@link GgufFile#metadata()} or {@link StrictJson} give them; not copied, not to be changed
     */
    public Fields(Path file, String prefix, Map<String, Object> values) {
        this.file = file;
        this.prefix = prefix;
        this.values = values;
    }

    /** As {@link #Fields(Path, String, Map)}, with the names as they are. */
    public Fields(Path file, Map<String, Object> values) {
        this(file, "", values);
    }

    /** The file that errors name. */
    public Path file() {
        return file;
    }

    /** The names, in the order of the file. */
    public Iterable<String> names() {
        return values.keySet();
    }

    /** Whether there is such a value, other than null. */
    public boolean has(String name) {
        return values.get(name) != null;
    }

    /** The value as {@link GgufFile#metadata()} or {@link StrictJson} give it, null if there is none; not to be changed. */
    public Object value(String name) {
        return values.get(name);
    }

    /**
     * An integer within {@code [min, max]}.
     *
     * @throws FormatException.MissingField if there is none
     * @throws FormatException.InvalidValue if it is no integer or out of range
     */
    public int integer(String name, int min, int max) {
        if (values.get(name) instanceof Long value && value >= min && value <= max) {
            return value.intValue();
        }
        throw invalid(name, "an integer from " + min + " to " + max);
    }

    /** As {@link #integer(String, int, int)}, or the fallback if there is none. */
    public int integer(String name, int fallback, int min, int max) {
        return has(name) ? integer(name, min, max) : fallback;
    }

    /**
     * A number that, rounded to float, lies within {@code [min, max]}; NaN does not.
     *
     * @throws FormatException.MissingField if there is none
     * @throws FormatException.InvalidValue if it is no number or out of range
     */
    public float number(String name, float min, float max) {
        if (values.get(name) instanceof Number value && value.floatValue() >= min && value.floatValue() <= max) {
            return value.floatValue();
        }
        throw invalid(name, "a number from " + min + " to " + max);
    }

    /**
     * A number within {@code [min, max]}, in double precision; NaN is not.
     *
     * @throws FormatException.MissingField if there is none
     * @throws FormatException.InvalidValue if it is no number or out of range
     */
    public double decimal(String name, double min, double max) {
        if (values.get(name) instanceof Number value && value.doubleValue() >= min && value.doubleValue() <= max) {
            return value.doubleValue();
        }
        throw invalid(name, "a number from " + min + " to " + max);
    }

    /** As {@link #number(String, float, float)}, or the fallback if there is none. */
    public float number(String name, float fallback, float min, float max) {
        return has(name) ? number(name, min, max) : fallback;
    }

    /**
     * A truth value.
     *
     * @throws FormatException.MissingField if there is none
     * @throws FormatException.InvalidValue if it is something else
     */
    public boolean flag(String name) {
        return of(Boolean.class, name, "true or false");
    }

    /** As {@link #flag(String)}, or the fallback if there is none. */
    public boolean flag(String name, boolean fallback) {
        return has(name) ? flag(name) : fallback;
    }

    /**
     * A text.
     *
     * @throws FormatException.MissingField if there is none
     * @throws FormatException.InvalidValue if it is something else
     */
    public String string(String name) {
        return of(String.class, name, "a text");
    }

    /** As {@link #string(String)}, or the fallback if there is none. */
    public String string(String name, String fallback) {
        return has(name) ? string(name) : fallback;
    }

    /**
     * The texts of an array; not to be changed.
     *
     * @throws FormatException.MissingField if there is none
     * @throws FormatException.InvalidValue if it is something else
     */
    public String[] strings(String name) {
        var value = values.get(name);
        if (value instanceof String[] array) {
            return array;
        }
        if (value instanceof List<?> list && list.stream().allMatch(String.class::isInstance)) {
            return list.toArray(String[]::new);
        }
        throw invalid(name, "an array of texts");
    }

    /**
     * The numbers of an array of integers or decimals; not to be changed.
     *
     * @throws FormatException.MissingField if there is none
     * @throws FormatException.InvalidValue if it is something else
     */
    public double[] numbers(String name) {
        var value = values.get(name);
        if (value instanceof double[] array) {
            return array;
        }
        if (value instanceof long[] array) {
            return Arrays.stream(array).asDoubleStream().toArray();
        }
        if (value instanceof List<?> list && list.stream().allMatch(Number.class::isInstance)) {
            return list.stream()
                    .mapToDouble(number -> ((Number) number).doubleValue())
                    .toArray();
        }
        throw invalid(name, "an array of numbers");
    }

    /**
     * The integers of a GGUF array; not to be changed.
     *
     * @throws FormatException.MissingField if there is none
     * @throws FormatException.InvalidValue if it is something else
     */
    public long[] longs(String name) {
        return of(long[].class, name, "an array of integers");
    }

    /**
     * Token ids: one integer or an array of them, each within {@code [0, vocabulary)}; empty if there is no such field.
     *
     * @param maxCount the most ids
     * @throws FormatException.InvalidValue if it is something else, or too many, or an id is out of range
     */
    public List<Integer> ids(String name, int vocabulary, int maxCount) {
        var expected = "at most " + maxCount + " token ids from 0 to " + (vocabulary - 1);
        var values = elements(name, maxCount + 1L);
        if (values.size() > maxCount) {
            throw unfit(name, "more ids", expected);
        }
        var ids = new ArrayList<Integer>(values.size());
        for (Object value : values) {
            if (!(value instanceof Long id)) {
                throw invalid(name, expected);
            }
            if (id < 0 || id >= vocabulary) {
                throw unfit(name, id, expected);
            }
            ids.add(id.intValue());
        }
        return List.copyOf(ids);
    }

    /**
     * A JSON array of integers that are not negative.
     *
     * @param maxLength the most elements
     * @param maxValue the largest element
     * @throws FormatException.MissingField if there is none
     * @throws FormatException.TooLarge if an element exceeds {@code maxValue}
     * @throws FormatException.InvalidValue if it is something else, too long, or an element is negative
     */
    public List<Long> integers(String name, int maxLength, long maxValue) {
        var expected = "an array of at most " + maxLength + " integers from 0 to " + maxValue;
        if (!(values.get(name) instanceof List<?> list) || list.size() > maxLength) {
            throw invalid(name, expected);
        }
        var integers = new ArrayList<Long>(list.size());
        for (Object element : list) {
            if (element instanceof Number number && number.doubleValue() > maxValue) {
                throw new FormatException.TooLarge(file, prefix + name, number, expected);
            }
            if (!(element instanceof Long integer) || integer < 0) {
                throw invalid(name, element, expected);
            }
            integers.add(integer);
        }
        return List.copyOf(integers);
    }

    /**
     * The elements of a JSON array.
     *
     * @throws FormatException.MissingField if there is none
     * @throws FormatException.InvalidValue if it is something else
     */
    public List<?> list(String name) {
        return of(List.class, name, "an array");
    }

    /**
     * The objects of a JSON array.
     *
     * @throws FormatException.MissingField if there is none
     * @throws FormatException.InvalidValue if it, or an element, is something else
     */
    public List<Fields> objects(String name) {
        var objects = new ArrayList<Fields>();
        for (Object element : list(name)) {
            objects.add(object(name + "[" + objects.size() + "]", element));
        }
        return objects;
    }

    private List<?> elements(String name, long limit) {
        var value = values.get(name);
        if (value == null) {
            return List.of();
        }
        if (value instanceof long[] array) {
            return Arrays.stream(array).limit(limit).boxed().toList();
        }
        return value instanceof List<?> list ? list : List.of(value);
    }

    /**
     * The fields of a JSON object inside this one; none if there is no such field.
     *
     * @throws FormatException.InvalidValue if it is something else
     */
    public Fields object(String name) {
        return object(name, has(name) ? values.get(name) : Map.of());
    }

    @SuppressWarnings("unchecked") // StrictJson makes no maps with other keys
    private Fields object(String name, Object value) {
        if (value instanceof Map<?, ?> map) {
            return new Fields(file, prefix + name + ".", (Map<String, Object>) map);
        }
        throw invalid(name, value, "an object");
    }

    /** A {@code MissingField} if there is none, or else an {@code InvalidValue} with the value described. */
    public FormatException invalid(String name, String expected) {
        return has(name)
                ? invalid(name, values.get(name), expected)
                : new FormatException.MissingField(file, prefix + name, expected);
    }

    /** An {@code InvalidValue} for what stands in a field, such as an element of an array, with that described. */
    public FormatException invalid(String name, Object found, String expected) {
        return unfit(name, describe(found), expected);
    }

    /** An {@code InvalidValue} for a state of a field that is no single value, such as a length. */
    public FormatException unfit(String name, Object found, String expected) {
        return new FormatException.InvalidValue(file, prefix + name, found, expected);
    }

    /** An {@code UnsupportedType}, with the value described, if there is one. */
    public FormatException unsupported(String name, String expected, String remedy) {
        return new FormatException.UnsupportedType(file, prefix + name, found(name), expected, remedy);
    }

    /**
     * An {@code UnknownArchitecture} for a field that is there.
     *
     * @param known the architectures that would be read
     */
    public FormatException unknownArchitecture(String name, String... known) {
        return new FormatException.UnknownArchitecture(
                file, prefix + name, found(name), '"' + String.join("\" or \"", known) + '"');
    }

    private <T> T of(Class<T> type, String name, String expected) {
        var value = values.get(name);
        if (type.isInstance(value)) {
            return type.cast(value);
        }
        throw invalid(name, expected);
    }

    private String found(String name) {
        return has(name) ? describe(values.get(name)) : "nothing";
    }

    private static String describe(Object value) {
        if (value instanceof String text) {
            return '"' + text + '"';
        }
        if (value instanceof Map<?, ?>) {
            return "an object";
        }
        if (value instanceof List<?> || value != null && value.getClass().isArray()) {
            return "an array";
        }
        return String.valueOf(value);
    }
}
