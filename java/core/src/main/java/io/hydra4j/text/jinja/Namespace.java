package io.hydra4j.text.jinja;

import java.util.LinkedHashMap;
import java.util.Map;

/** What a template may assign to from inside a loop. */
final class Namespace {
    private final Map<String, Object> values = new LinkedHashMap<>();

    Object get(String name) {
        return values.containsKey(name)
                ? values.get(name)
                : new Undefined("the namespace has no attribute '" + name + "'");
    }

    void set(String name, Object value) {
        values.put(name, value);
    }
}
