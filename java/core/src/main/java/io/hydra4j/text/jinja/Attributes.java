package io.hydra4j.text.jinja;

import io.hydra4j.text.PromptText;
import java.util.List;
import java.util.Map;

/** What stands behind a dot or in brackets behind a value. Methods are found before keys by the dot, and after them in brackets. */
final class Attributes {
    private Attributes() {}

    static Object attribute(Object value, String name) {
        Values.defined(value);
        if (value instanceof Namespace namespace) {
            return namespace.get(name);
        }
        if (value instanceof Loop loop) {
            return loop.attribute(name);
        }
        if (value instanceof Joiner.Cycler cycler) {
            return cycler.attribute(name);
        }
        if (value instanceof Macro macro && name.equals("name")) {
            return PromptText.own(macro.name());
        }
        Callable method = method(value, name);
        if (method != null) {
            return method;
        }
        if (value instanceof Map<?, ?> map && map.containsKey(PromptText.own(name))) {
            return map.get(PromptText.own(name));
        }
        return absent(value, name);
    }

    private static Undefined absent(Object value, String name) {
        return new Undefined(Values.kind(value) + " has no '" + name + "'");
    }

    private static Callable method(Object value, String name) {
        if (value instanceof PromptText text) {
            return TextMethods.of(text, name);
        }
        if (value instanceof Map<?, ?> map) {
            return CollectionMethods.ofMap(map, name);
        }
        return value instanceof List<?> list ? CollectionMethods.ofList(list, name) : null;
    }

    static Object item(Object value, Object key) {
        Values.defined(value);
        if (value instanceof Map<?, ?> map && map.containsKey(Values.key(key))) {
            return map.get(key);
        }
        if (key instanceof Long index && (value instanceof List || value instanceof PromptText)) {
            return element(value, index);
        }
        return key instanceof PromptText name
                ? attribute(value, name.text())
                : new Undefined(Values.kind(value) + " has no such element");
    }

    private static Object element(Object value, long index) {
        long length = Values.length(value);
        long counted = index < 0 ? index + length : index;
        if (counted < 0 || counted >= length) {
            return new Undefined("element " + index + " of " + length + " is undefined");
        }
        if (value instanceof PromptText text) {
            int from = text.text().offsetByCodePoints(0, (int) counted);
            return text.substring(from, text.text().offsetByCodePoints(from, 1));
        }
        return ((List<?>) value).get((int) counted);
    }
}
