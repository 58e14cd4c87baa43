package io.hydra4j.format;

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

    private Fields(Path file, String prefix, Map<String, Object> values) {
        this.file = file;
        this.prefix = prefix;
        this.values = values;
    }

    /**
     * @param file the file that errors name
     * @param values as {@link GgufFile#metadata()} or {@link StrictJson} give them; not copied, not to be changed
     */
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

    /**
     * An integer within {@code [min, max]}.
     *
     * @throws FormatException.MissingField if there is none
     * @throws FormatException.InvalidValue if it is no integer or out of range
     */
    public int integer(String name, int min, int max) {
        var expected = "an integer from " + min + " to " + max;
        if (require(name, expected) instanceof Long value && value >= min && value <= max) {
            return value.intValue();
        }
        throw invalid(name, expected);
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
        var expected = "a number from " + min + " to " + max;
        if (require(name, expected) instanceof Number value && value.floatValue() >= min && value.floatValue() <= max) {
            return value.floatValue();
        }
        throw invalid(name, expected);
    }

    /** As {@link #number(String, float, float)}, or the fallback if there is none. */
    public float number(String name, float fallback, float min, float max) {
        return has(name) ? number(name, min, max) : fallback;
    }

    /**
     * A truth value, or the fallback if there is none.
     *
     * @throws FormatException.InvalidValue if it is something else
     */
    public boolean flag(String name, boolean fallback) {
        if (!has(name)) {
            return fallback;
        }
        if (values.get(name) instanceof Boolean value) {
            return value;
        }
        throw invalid(name, "true or false");
    }

    /**
     * A text.
     *
     * @throws FormatException.MissingField if there is none
     * @throws FormatException.InvalidValue if it is something else
     */
    public String string(String name) {
        if (require(name, "a text") instanceof String value) {
            return value;
        }
        throw invalid(name, "a text");
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
        var value = require(name, "an array of texts");
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
        var value = require(name, "an array of numbers");
        if (value instanceof double[] array) {
            return array;
        }
        if (value instanceof long[] array) {
            return Arrays.stream(array).asDoubleStream().toArray();
        }
        throw invalid(name, "an array of numbers");
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
            throw new FormatException.InvalidValue(file, prefix + name, "more ids", expected);
        }
        var ids = new ArrayList<Integer>(values.size());
        for (Object value : values) {
            if (!(value instanceof Long id)) {
                throw invalid(name, expected);
            }
            if (id < 0 || id >= vocabulary) {
                throw new FormatException.InvalidValue(file, prefix + name, id, expected);
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
        if (!(require(name, expected) instanceof List<?> list) || list.size() > maxLength) {
            throw invalid(name, expected);
        }
        var integers = new ArrayList<Long>(list.size());
        for (Object element : list) {
            if (element instanceof Number number && number.doubleValue() > maxValue) {
                throw new FormatException.TooLarge(file, prefix + name, number, expected);
            }
            if (!(element instanceof Long integer) || integer < 0) {
                throw new FormatException.InvalidValue(file, prefix + name, describe(element), expected);
            }
            integers.add(integer);
        }
        return List.copyOf(integers);
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
    @SuppressWarnings("unchecked") // StrictJson makes no maps with other keys
    public Fields object(String name) {
        if (!has(name)) {
            return new Fields(file, prefix + name + ".", Map.of());
        }
        if (values.get(name) instanceof Map<?, ?> map) {
            return new Fields(file, prefix + name + ".", (Map<String, Object>) map);
        }
        throw invalid(name, "an object");
    }

    /** An {@code InvalidValue} for a field that is there, with the value described. */
    public FormatException invalid(String name, String expected) {
        return new FormatException.InvalidValue(file, prefix + name, describe(values.get(name)), expected);
    }

    /** An {@code UnsupportedType} for a field that is there, with the value described. */
    public FormatException unsupported(String name, String expected, String remedy) {
        return new FormatException.UnsupportedType(file, prefix + name, describe(values.get(name)), expected, remedy);
    }

    /** An {@code UnknownArchitecture} for a field that is there. */
    public FormatException unknownArchitecture(String name, String expected) {
        return new FormatException.UnknownArchitecture(
                file, prefix + name, describe(values.get(name)), '"' + expected + '"');
    }

    private Object require(String name, String expected) {
        var value = values.get(name);
        if (value == null) {
            throw new FormatException.MissingField(file, prefix + name, expected);
        }
        return value;
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
