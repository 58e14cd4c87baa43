package io.hydra4j.text.jinja;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The arguments of a call.
 *
 * @param positional in order
 * @param named by name
 */
record Arguments(List<Object> positional, Map<String, Object> named) {
    static final Arguments NONE = new Arguments(List.of(), Map.of());

    /** Stands for what was not given; a null is None. */
    private static final Object ABSENT = new Object();

    /** Arguments that have found their parameters. */
    static final class Bound {
        private final String function;
        private final List<String> names;
        private final Object[] values;

        private Bound(String function, List<String> names, Object[] values) {
            this.function = function;
            this.names = names;
            this.values = values;
        }

        boolean has(int index) {
            return values[index] != ABSENT;
        }

        Object get(int index, Object otherwise) {
            return has(index) ? values[index] : otherwise;
        }

        Object get(int index) {
            if (!has(index)) {
                throw new Failure(function + " needs its argument '" + names.get(index) + "'");
            }
            return values[index];
        }

        boolean flag(int index, boolean otherwise) {
            return has(index) ? Values.isTrue(values[index]) : otherwise;
        }

        long integer(int index, long otherwise) {
            return has(index) ? Values.integer(values[index], function) : otherwise;
        }
    }

    /**
     * Finds the parameters of a function's arguments.
     *
     * @param function its name, for messages
     * @param names of its parameters, in order
     */
    Bound bind(String function, String... names) {
        List<String> parameters = List.of(names);
        Object[] values = new Object[names.length];
        Arrays.fill(values, ABSENT);
        if (positional.size() > names.length) {
            throw new Failure(function + " takes " + names.length + " arguments, not " + positional.size());
        }
        for (int i = 0; i < positional.size(); i++) {
            values[i] = positional.get(i);
        }
        named.forEach((name, value) -> {
            int index = parameters.indexOf(name);
            if (index < 0 || values[index] != ABSENT) {
                throw new Failure(function + " has no argument '" + name + "', or has it twice");
            }
            values[index] = value;
        });
        return new Bound(function, parameters, values);
    }

    /** These arguments, with another one before them. */
    Arguments after(Object first) {
        List<Object> all = new ArrayList<>(positional.size() + 1);
        all.add(first);
        all.addAll(positional);
        return new Arguments(all, named);
    }

    /** These arguments without the first so many of the positional ones. */
    Arguments from(int index) {
        return new Arguments(positional.subList(Math.min(index, positional.size()), positional.size()), named);
    }

    static Arguments of(Object... positional) {
        return new Arguments(Arrays.asList(positional), new LinkedHashMap<>());
    }
}
