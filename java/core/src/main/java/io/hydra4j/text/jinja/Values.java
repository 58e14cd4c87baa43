package io.hydra4j.text.jinja;

import io.hydra4j.text.PromptText;
import java.util.AbstractList;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The values of templates, with Python's rules: None is null, texts are {@link PromptText}, whole numbers Long, others Double, lists
 * and {@link Tuple}s List, mappings Map. None of them changes, {@link Namespace}s apart.
 */
final class Values {
    private Values() {}

    /**
     * What was handed in, as a value: texts in it are foreign.
     *
     * @throws IllegalArgumentException if it is of no such kind
     */
    static Object handedIn(Object value) {
        if (value == null || value instanceof Boolean || value instanceof Long || value instanceof Double) {
            return value;
        }
        if (value instanceof PromptText text) {
            return text;
        }
        if (value instanceof CharSequence text) {
            return PromptText.foreign(text.toString());
        }
        if (value instanceof Integer || value instanceof Short || value instanceof Byte) {
            return ((Number) value).longValue();
        }
        if (value instanceof Float number) {
            return (double) number;
        }
        if (value instanceof Map<?, ?> map) {
            Map<Object, Object> converted = new LinkedHashMap<>();
            map.forEach((key, item) -> converted.put(handedIn(key), handedIn(item)));
            return converted;
        }
        if (value instanceof Iterable<?> items) {
            List<Object> converted = new ArrayList<>();
            items.forEach(item -> converted.add(handedIn(item)));
            return converted;
        }
        throw new IllegalArgumentException("a value of a template is a "
                + value.getClass().getName() + ": give texts, numbers, booleans, null, lists and maps of them");
    }

    /** The characters of a value, each other value in it counted as some. */
    static long size(Object value) {
        if (value instanceof PromptText text) {
            return text.length() + 1L;
        }
        if (value instanceof Map<?, ?> map) {
            return map.entrySet().stream()
                    .mapToLong(entry -> size(entry.getKey()) + size(entry.getValue()))
                    .sum();
        }
        if (value instanceof List<?> list) {
            return list.stream().mapToLong(Values::size).sum();
        }
        return 16;
    }

    static boolean isTrue(Object value) {
        if (value instanceof Boolean flag) {
            return flag;
        }
        if (value instanceof PromptText text) {
            return !text.isEmpty();
        }
        if (value instanceof Number number) {
            return number.doubleValue() != 0;
        }
        if (value instanceof List<?> list) {
            return !list.isEmpty();
        }
        if (value instanceof Map<?, ?> map) {
            return !map.isEmpty();
        }
        return value != null && !(value instanceof Undefined);
    }

    /** What a kind of value is called. */
    static String kind(Object value) {
        return value == null
                ? "None"
                : value instanceof PromptText
                        ? "a text"
                        : value instanceof Boolean
                                ? "a boolean"
                                : value instanceof Number
                                        ? "a number"
                                        : value instanceof List
                                                ? "a list"
                                                : value instanceof Map
                                                        ? "a mapping"
                                                        : value instanceof Undefined
                                                                ? "undefined"
                                                                : value instanceof Callable
                                                                        ? "a function"
                                                                        : "a namespace";
    }

    /** A value from which something is to be made. */
    static Object defined(Object value) {
        if (value instanceof Undefined undefined) {
            throw undefined.failure();
        }
        return value;
    }

    static PromptText text(Object value, String user) {
        if (defined(value) instanceof PromptText text) {
            return text;
        }
        throw new Failure(user + " needs a text, not " + kind(value));
    }

    static long integer(Object value, String user) {
        if (defined(value) instanceof Long number) {
            return number;
        }
        if (value instanceof Boolean flag) {
            return flag ? 1 : 0;
        }
        throw new Failure(user + " needs a whole number, not " + kind(value));
    }

    @SuppressWarnings("unchecked") // the keys of all mappings are values
    static Map<Object, Object> mapping(Object value, String user) {
        if (defined(value) instanceof Map<?, ?> map) {
            return (Map<Object, Object>) map;
        }
        throw new Failure(user + " needs a mapping, not " + kind(value));
    }

    /** The elements of what can be gone through: of a text its characters, of a mapping its keys. */
    static List<Object> elements(Object value, Budget budget) {
        if (value instanceof List<?> list) {
            return items(list);
        }
        if (value instanceof Map<?, ?> map) {
            budget.elements(map.size());
            return new ArrayList<>(map.keySet());
        }
        if (value instanceof PromptText text) {
            budget.elements(text.length());
            List<Object> characters = new ArrayList<>();
            for (int at = 0; at < text.length(); ) {
                int end = text.text().offsetByCodePoints(at, 1);
                characters.add(text.substring(at, end));
                at = end;
            }
            return characters;
        }
        if (value instanceof Undefined) {
            return List.of();
        }
        throw new Failure(kind(value) + " cannot be gone through");
    }

    @SuppressWarnings("unchecked") // lists of values are only read
    static List<Object> items(List<?> list) {
        return (List<Object>) list;
    }

    /** The number of elements; characters of a text. */
    static long length(Object value) {
        if (value instanceof PromptText text) {
            return text.text().codePointCount(0, text.length());
        }
        if (value instanceof List<?> list) {
            return list.size();
        }
        if (value instanceof Map<?, ?> map) {
            return map.size();
        }
        if (value instanceof Undefined) {
            return 0;
        }
        throw new Failure(kind(value) + " has no length");
    }

    /** Whole numbers that are computed when they are looked at. */
    static List<Object> range(long from, long to, long step) {
        if (step == 0) {
            throw new Failure("range needs a step other than 0");
        }
        double count = Math.ceil(((double) to - from) / step);
        if (count > Integer.MAX_VALUE) {
            throw new Failure("range of more than " + Integer.MAX_VALUE + " numbers");
        }
        int size = (int) Math.max(0, count);
        return new AbstractList<>() {
            @Override
            public Object get(int index) {
                return from + index * step;
            }

            @Override
            public int size() {
                return size;
            }
        };
    }

    /** A value that a mapping may have for a key. */
    static Object key(Object value) {
        if (value instanceof List || value instanceof Map) {
            throw new Failure(kind(value) + " cannot be a key");
        }
        return value;
    }
}
