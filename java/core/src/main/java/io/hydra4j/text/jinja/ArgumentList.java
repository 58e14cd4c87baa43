package io.hydra4j.text.jinja;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The arguments of a call, as they are written.
 *
 * @param positional in order
 * @param names of the named ones
 * @param named their values
 * @param more a list of more positional ones; null for none
 * @param moreNamed a mapping of more named ones; null for none
 */
record ArgumentList(
        List<Expression> positional,
        List<String> names,
        List<Expression> named,
        Expression more,
        Expression moreNamed) {
    static final ArgumentList NONE = new ArgumentList(List.of(), List.of(), List.of(), null, null);

    static ArgumentList of(Expression only) {
        return new ArgumentList(List.of(only), List.of(), List.of(), null, null);
    }

    Arguments values(Scope scope) {
        if (this == NONE) {
            return Arguments.NONE;
        }
        List<Object> values = new ArrayList<>();
        for (Expression each : positional) {
            values.add(each.value(scope));
        }
        if (more != null) {
            List<Object> others = Values.elements(more.value(scope), scope.budget());
            scope.budget().elements(others.size());
            values.addAll(others);
        }
        Map<String, Object> namedValues = new LinkedHashMap<>();
        for (int i = 0; i < names.size(); i++) {
            namedValues.put(names.get(i), named.get(i).value(scope));
        }
        if (moreNamed != null) {
            Map<Object, Object> others = Values.mapping(moreNamed.value(scope), "'**'");
            scope.budget().elements(others.size());
            others.forEach((name, value) ->
                    namedValues.put(Values.text(name, "the name of an argument").text(), value));
        }
        return new Arguments(values, namedValues);
    }
}
