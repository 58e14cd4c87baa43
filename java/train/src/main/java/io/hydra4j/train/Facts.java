package io.hydra4j.train;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Collectors;

/** Named values in order, such as those that runs are compared by. Not thread-safe. */
final class Facts {
    private final Map<String, String> values = new LinkedHashMap<>();

    /**
     * Adds a value.
     *
     * @return this
     * @throws IllegalArgumentException if the name is there already
     */
    Facts add(String name, Object value) {
        if (values.putIfAbsent(name, String.valueOf(value)) != null) {
            throw new IllegalArgumentException(name + " is there already");
        }
        return this;
    }

    /** As {@link #add}, all of others. */
    Facts addAll(Facts others) {
        others.values.forEach(this::add);
        return this;
    }

    /** By name. */
    Map<String, String> values() {
        return Collections.unmodifiableMap(values);
    }

    /** Those that others have not, or not with this value. */
    Facts without(Facts others) {
        Facts left = new Facts();
        values.forEach((name, value) -> {
            if (!value.equals(others.values.get(name))) {
                left.add(name, value);
            }
        });
        return left;
    }

    /** {@code a=1, b=2}; {@code nothing} where there are none. */
    @Override
    public String toString() {
        return values.isEmpty()
                ? "nothing"
                : values.entrySet().stream().map(Map.Entry::toString).collect(Collectors.joining(", "));
    }
}
