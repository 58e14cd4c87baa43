package io.hydra4j.text.jinja;

import io.hydra4j.text.PromptText;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** What can be asked of a value with {@code is}. */
final class Tests {
    private Tests() {}

    static boolean apply(String name, Object value, Arguments arguments, Run run) {
        Budget budget = run.budget();
        switch (name) {
            case "divisibleby":
                long divisor = Values.integer(argument(name, arguments), name);
                if (divisor == 0) {
                    throw new Failure("divisibleby 0");
                }
                return Values.integer(value, name) % divisor == 0;
            case "eq", "equalto", "==":
                return Comparisons.equal(value, argument(name, arguments), budget);
            case "ne", "!=":
                return !Comparisons.equal(value, argument(name, arguments), budget);
            case "lt", "lessthan", "<":
                return Comparisons.order(value, argument(name, arguments), budget) < 0;
            case "le", "<=":
                return Comparisons.order(value, argument(name, arguments), budget) <= 0;
            case "gt", "greaterthan", ">":
                return Comparisons.order(value, argument(name, arguments), budget) > 0;
            case "ge", ">=":
                return Comparisons.order(value, argument(name, arguments), budget) >= 0;
            case "in":
                return Comparisons.contains(argument(name, arguments), value, budget);
            case "sameas":
                Object other = argument(name, arguments);
                return value == other || value instanceof Boolean && value.equals(other);
            default:
                arguments.bind("the test '" + name + "'");
                return apply(name, value, budget);
        }
    }

    private static Object argument(String name, Arguments arguments) {
        return arguments.bind("the test '" + name + "'", "other").get(0);
    }

    private static boolean apply(String name, Object value, Budget budget) {
        return switch (name) {
            case "defined" -> !(value instanceof Undefined);
            case "undefined" -> value instanceof Undefined;
            case "none" -> value == null;
            case "string" -> value instanceof PromptText;
            case "mapping" -> value instanceof Map;
            case "sequence" -> value instanceof PromptText
                    || value instanceof List
                    || value instanceof Map
                    || value instanceof Undefined;
            case "iterable" -> value instanceof PromptText
                    || value instanceof List
                    || value instanceof Map
                    || value instanceof Undefined;
            case "number" -> Comparisons.isNumber(value);
            case "integer" -> value instanceof Long;
            case "float" -> value instanceof Double;
            case "boolean" -> value instanceof Boolean;
            case "true" -> Boolean.TRUE.equals(value);
            case "false" -> Boolean.FALSE.equals(value);
            case "callable" -> value instanceof Callable;
            case "escaped" -> false;
            case "odd" -> Math.floorMod(Values.integer(value, name), 2L) == 1;
            case "even" -> Math.floorMod(Values.integer(value, name), 2L) == 0;
            case "upper" -> isCase(PythonText.of(value, budget).text(), true);
            case "lower" -> isCase(PythonText.of(value, budget).text(), false);
            case "filter" -> Filters.has(Values.text(value, name).text());
            default -> throw new Failure("there is no test '" + name + "'");
        };
    }

    /** Whether there are letters, all of them of one case. */
    static boolean isCase(String text, boolean upper) {
        String changed = upper ? text.toUpperCase(Locale.ROOT) : text.toLowerCase(Locale.ROOT);
        String other = upper ? text.toLowerCase(Locale.ROOT) : text.toUpperCase(Locale.ROOT);
        return text.equals(changed) && !text.equals(other);
    }
}
