package io.hydra4j.text;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Typed access to the values of one object in a file; whatever is wrong becomes a {@link TokenizerException}. */
final class Fields {
    private final String file;
    private final String path;
    private final Map<?, ?> values;

    /**
     * @param file the file, for messages
     * @param path put before the names in messages, empty or ending in a dot
     * @param values by name
     */
    Fields(String file, String path, Map<?, ?> values) {
        this.file = file;
        this.path = path;
        this.values = values;
    }

    String file() {
        return file;
    }

    boolean has(String name) {
        return values.get(name) != null;
    }

    /** @return the value, null where there is none */
    Object raw(String name) {
        return values.get(name);
    }

    String string(String name) {
        return of(String.class, name, "a string");
    }

    String string(String name, String otherwise) {
        return has(name) ? string(name) : otherwise;
    }

    boolean flag(String name) {
        return of(Boolean.class, name, "true or false");
    }

    boolean flag(String name, boolean otherwise) {
        return has(name) ? flag(name) : otherwise;
    }

    /** @return a whole number from {@code least} to {@code most} */
    int integer(String name, int least, int most) {
        Object value = values.get(name);
        if (value instanceof Long number && number >= least && number <= most) {
            return number.intValue();
        }
        throw wrong(name, "a whole number from " + least + " to " + most);
    }

    /** @return an array of the given type, as GGUF metadata holds them */
    <T> T array(Class<T> type, String name, String expected) {
        return of(type, name, expected);
    }

    List<?> list(String name) {
        return of(List.class, name, "a list");
    }

    Fields object(String name) {
        return new Fields(file, path + name + ".", of(Map.class, name, "an object"));
    }

    /** @return the element of a list, which must be an object */
    Fields element(String name, int index, Object element) {
        String where = name + "[" + index + "]";
        if (element instanceof Map<?, ?> object) {
            return new Fields(file, path + where + ".", object);
        }
        throw wrong(where, element, "an object");
    }

    TokenizerException wrong(String name, String expected) {
        return wrong(name, values.get(name), expected);
    }

    TokenizerException wrong(String name, Object found, String expected) {
        return new TokenizerException(file, path + name, describe(found), expected);
    }

    /** @return an error about a state of the file that is no single value */
    TokenizerException unfit(String name, String found, String expected) {
        return new TokenizerException(file, path + name, found, expected);
    }

    /** @return an object of the given names and values, in this order */
    static Map<String, Object> object(Object... namesAndValues) {
        Map<String, Object> object = new LinkedHashMap<>();
        for (int i = 0; i < namesAndValues.length; i += 2) {
            object.put((String) namesAndValues[i], namesAndValues[i + 1]);
        }
        return object;
    }

    private <T> T of(Class<T> type, String name, String expected) {
        Object value = values.get(name);
        if (type.isInstance(value)) {
            return type.cast(value);
        }
        throw wrong(name, expected);
    }

    private static String describe(Object value) {
        if (value == null) {
            return "nothing";
        }
        if (value instanceof String text) {
            return TokenizerSpec.quoted(text);
        }
        if (value instanceof Map<?, ?>) {
            return "an object";
        }
        if (value instanceof List<?>) {
            return "a list";
        }
        return value.getClass().isArray() ? "an array of " + value.getClass().getComponentType() : value.toString();
    }
}
