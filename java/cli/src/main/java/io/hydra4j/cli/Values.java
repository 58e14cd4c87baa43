package io.hydra4j.cli;

import java.lang.reflect.Array;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/** Values of metadata: what readers of GGUF and JSON make, arrays as lists or as arrays of any kind. */
final class Values {
    private static final int MOST_ELEMENTS = 8;
    private static final int LONGEST_TEXT = 100;
    private static final int LONGEST_ELEMENT = 24;

    private Values() {}

    static boolean isArray(Object value) {
        return value instanceof List || value != null && value.getClass().isArray();
    }

    /** The first elements of an array. */
    static List<Object> elements(Object array, int most) {
        int count = Math.min(most, length(array));
        List<Object> elements = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            elements.add(array instanceof List<?> list ? list.get(i) : Array.get(array, i));
        }
        return elements;
    }

    private static int length(Object array) {
        return array instanceof List<?> list ? list.size() : Array.getLength(array);
    }

    /** One printable line, long texts and arrays abbreviated. */
    static String describe(Object value) {
        return describe(value, LONGEST_TEXT);
    }

    private static String describe(Object value, int longest) {
        if (value instanceof String text) {
            return '"' + Printable.line(text, longest) + '"';
        }
        if (value instanceof Map<?, ?> map) {
            return map.entrySet().stream()
                    .limit(MOST_ELEMENTS)
                    .map(entry -> Printable.line(String.valueOf(entry.getKey()), LONGEST_ELEMENT) + ": "
                            + describe(entry.getValue(), LONGEST_ELEMENT))
                    .collect(Collectors.joining(", ", "{", map.size() > MOST_ELEMENTS ? ", ...}" : "}"));
        }
        if (value instanceof Double number) {
            // Most files hold floats: 1.0E-5 and not its neighbour in double precision.
            boolean single = number == number.floatValue();
            return single ? Float.toString(number.floatValue()) : number.toString();
        }
        if (!isArray(value)) {
            return String.valueOf(value);
        }
        int length = length(value);
        return elements(value, MOST_ELEMENTS).stream()
                .map(element -> describe(element, LONGEST_ELEMENT))
                .collect(Collectors.joining(", ", "[", length > MOST_ELEMENTS ? ", ...] (" + length + ")" : "]"));
    }
}
