package io.hydra4j.text.jinja;

import io.hydra4j.text.PromptText;
import java.util.Map;
import java.util.TreeMap;

/** The filters, by name. */
final class Filters {
    /** What a filter makes of a value. */
    @FunctionalInterface
    interface Filter {
        Object apply(Object value, Arguments arguments, Run run);
    }

    private static final Map<String, Filter> ALL = new TreeMap<>();

    static {
        TextFilters.addTo(ALL);
        CollectionFilters.addTo(ALL);
        ALL.put("default", Filters::otherwise);
        ALL.put("d", Filters::otherwise);
        ALL.put("abs", (value, arguments, run) -> absolute(value));
        ALL.put("int", (value, arguments, run) -> whole(value, arguments));
        ALL.put("float", (value, arguments, run) -> real(value, arguments));
        ALL.put("round", (value, arguments, run) -> rounded(value, arguments));
        ALL.put("attr", (value, arguments, run) -> {
            String name =
                    Values.text(arguments.bind("attr", "name").get(0), "attr").text();
            Object found = Attributes.attribute(value, name);
            return value instanceof Map && !(found instanceof Callable) ? new Undefined("no '" + name + "'") : found;
        });
        ALL.put("tojson", (value, arguments, run) -> json(value, arguments, run.budget()));
    }

    private Filters() {}

    static boolean has(String name) {
        return ALL.containsKey(name);
    }

    /** @throws Failure if there is no such filter, or it cannot be applied */
    static Object apply(String name, Object value, Arguments arguments, Run run) {
        Filter filter = ALL.get(name);
        if (filter == null) {
            throw new Failure("there is no filter '" + name + "'");
        }
        return filter.apply(value, arguments, run);
    }

    private static Object otherwise(Object value, Arguments arguments, Run run) {
        Arguments.Bound bound = arguments.bind("default", "default_value", "boolean");
        boolean isUsed = value instanceof Undefined || bound.flag(1, false) && !Values.isTrue(value);
        return isUsed ? bound.get(0, PromptText.EMPTY) : value;
    }

    private static Object absolute(Object value) {
        boolean isNegative = Comparisons.isNumber(Values.defined(value)) && Comparisons.number(value) < 0;
        return isNegative ? Arithmetic.negated(value) : value;
    }

    private static Object whole(Object value, Arguments arguments) {
        Arguments.Bound bound = arguments.bind("int", "default", "base");
        Object otherwise = bound.get(0, 0L);
        try {
            if (value instanceof PromptText text) {
                String digits = text.text().strip().replace("_", "");
                int base = (int) bound.integer(1, 10);
                return base == 10 && digits.matches(".*[.eE].*")
                        ? (Object) (long) Double.parseDouble(digits)
                        : Long.valueOf(digits, base);
            }
        } catch (NumberFormatException e) {
            return otherwise;
        }
        return value instanceof Double number
                ? Double.isFinite(number) ? (Object) number.longValue() : otherwise
                : Comparisons.isNumber(value) ? (Object) Comparisons.whole(value) : otherwise;
    }

    private static Object real(Object value, Arguments arguments) {
        Object otherwise = arguments.bind("float", "default").get(0, 0.0);
        if (value instanceof PromptText text) {
            boolean isNumber = text.text().strip().matches("[-+]?(\\d+\\.?\\d*|\\.\\d+)([eE][-+]?\\d{1,3})?");
            return isNumber ? (Object) Double.valueOf(text.text().strip()) : otherwise;
        }
        return Comparisons.isNumber(value) ? (Object) Comparisons.number(value) : otherwise;
    }

    private static Object rounded(Object value, Arguments arguments) {
        Arguments.Bound bound = arguments.bind("round", "precision", "method");
        if (!Comparisons.isNumber(Values.defined(value))) {
            throw new Failure("round needs a number, not " + Values.kind(value));
        }
        double scale = Math.pow(10, bound.integer(0, 0));
        String method = bound.has(1) ? Values.text(bound.get(1), "round").text() : "common";
        double scaled = Comparisons.number(value) * scale;
        return switch (method) {
            case "common" -> Math.rint(scaled) / scale;
            case "ceil" -> Math.ceil(scaled) / scale;
            case "floor" -> Math.floor(scaled) / scale;
            default -> throw new Failure("round knows common, ceil and floor, not '" + method + "'");
        };
    }

    private static Object json(Object value, Arguments arguments, Budget budget) {
        Arguments.Bound bound = arguments.bind("tojson", "ensure_ascii", "indent", "separators", "sort_keys");
        Object indent = bound.get(1, null);
        PromptText item = PromptText.own(indent == null ? ", " : ",");
        PromptText key = PromptText.own(": ");
        if (bound.get(2, null) != null) {
            var pair = Values.elements(bound.get(2), budget);
            if (pair.size() != 2) {
                throw new Failure("tojson needs two separators, not " + pair.size());
            }
            item = Values.text(pair.get(0), "tojson");
            key = Values.text(pair.get(1), "tojson");
        }
        PromptText level = indent == null
                ? null
                : indent instanceof PromptText text
                        ? text
                        : new TextWriter(budget)
                                .repeat(PromptText.own(" "), Values.integer(indent, "tojson"))
                                .text();
        return new JsonText(budget, level, item, key, bound.flag(0, false), bound.flag(3, false)).text(value);
    }
}
