package io.hydra4j.text.jinja;

import io.hydra4j.text.PromptText;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.BinaryOperator;
import java.util.function.UnaryOperator;

/** Filters on lists and mappings. */
final class CollectionFilters {
    private CollectionFilters() {}

    static void addTo(Map<String, Filters.Filter> all) {
        all.put("length", (value, arguments, run) -> Values.length(value));
        all.put("count", all.get("length"));
        all.put("first", (value, arguments, run) -> end(value, run.budget(), true));
        all.put("last", (value, arguments, run) -> end(value, run.budget(), false));
        all.put("list", (value, arguments, run) -> copy(value, run.budget()));
        all.put("reverse", (value, arguments, run) -> reversed(value, run.budget()));
        all.put("join", CollectionFilters::join);
        all.put(
                "items",
                (value, arguments, run) -> value instanceof Undefined
                        ? List.of()
                        : CollectionMethods.items(Values.mapping(value, "items"), arguments, run));
        all.put("dictsort", CollectionFilters::sortedItems);
        all.put("sort", CollectionFilters::sorted);
        all.put("unique", CollectionFilters::unique);
        all.put("min", (value, arguments, run) -> extreme(value, arguments, run, -1));
        all.put("max", (value, arguments, run) -> extreme(value, arguments, run, 1));
        all.put("sum", CollectionFilters::sum);
        all.put("map", CollectionFilters::map);
        all.put("select", (value, arguments, run) -> select(value, arguments, run, false, true));
        all.put("reject", (value, arguments, run) -> select(value, arguments, run, false, false));
        all.put("selectattr", (value, arguments, run) -> select(value, arguments, run, true, true));
        all.put("rejectattr", (value, arguments, run) -> select(value, arguments, run, true, false));
        all.put("groupby", CollectionFilters::groups);
        all.put("batch", CollectionFilters::batches);
    }

    private static List<Object> copy(Object value, Budget budget) {
        List<Object> elements = Values.elements(value, budget);
        budget.elements(elements.size());
        return new ArrayList<>(elements);
    }

    private static Object end(Object value, Budget budget, boolean isFirst) {
        List<Object> elements = Values.elements(value, budget);
        return elements.isEmpty()
                ? new Undefined("there are no elements")
                : elements.get(isFirst ? 0 : elements.size() - 1);
    }

    private static Object reversed(Object value, Budget budget) {
        List<Object> elements = copy(value, budget);
        Collections.reverse(elements);
        if (value instanceof PromptText) {
            TextWriter text = new TextWriter(budget);
            elements.forEach(each -> text.write((PromptText) each));
            return text.text();
        }
        return elements;
    }

    private static Object join(Object value, Arguments arguments, Run run) {
        Arguments.Bound bound = arguments.bind("join", "d", "attribute");
        PromptText separator = PythonText.of(bound.get(0, PromptText.EMPTY), run.budget());
        Object attribute = bound.get(1, null);
        TextWriter out = new TextWriter(run.budget());
        boolean isFirst = true;
        for (Object item : Values.elements(value, run.budget())) {
            run.budget().step();
            out.write(isFirst ? PromptText.EMPTY : separator)
                    .write(PythonText.of(attribute == null ? item : at(item, attribute), run.budget()));
            isFirst = false;
        }
        return out.text();
    }

    /** What stands at a path of names and numbers with dots between. */
    private static Object at(Object item, Object path) {
        if (!(path instanceof PromptText names)) {
            return Attributes.item(item, path);
        }
        Object value = item;
        for (String name : names.text().split("\\.", -1)) {
            boolean isIndex = name.matches("\\d{1,9}");
            value = Attributes.item(value, isIndex ? (Object) Long.valueOf(name) : PromptText.own(name));
        }
        return value;
    }

    /** What is compared: texts without regard to case, unless that counts. */
    private static Object sortKey(Object value, boolean isCaseSensitive) {
        return value instanceof PromptText text && !isCaseSensitive
                ? PromptText.own(text.text().toLowerCase(Locale.ROOT))
                : value;
    }

    private static Object sortedItems(Object value, Arguments arguments, Run run) {
        Arguments.Bound bound = arguments.bind("dictsort", "case_sensitive", "by", "reverse");
        Object by = bound.get(1, PromptText.own("key"));
        List<Object> items = CollectionMethods.items(Values.mapping(value, "dictsort"), Arguments.NONE, run);
        int part = Values.text(by, "dictsort").text().equals("value") ? 1 : 0;
        sort(items, bound.flag(2, false), bound.flag(0, false), item -> ((Tuple) item).get(part), run.budget());
        return items;
    }

    private static Object sorted(Object value, Arguments arguments, Run run) {
        Arguments.Bound bound = arguments.bind("sort", "reverse", "case_sensitive", "attribute");
        Object attribute = bound.get(2, null);
        List<Object> items = copy(value, run.budget());
        sort(
                items,
                bound.flag(0, false),
                bound.flag(1, false),
                item -> attribute == null ? item : at(item, attribute),
                run.budget());
        return items;
    }

    private static void sort(
            List<Object> items, boolean isReversed, boolean isCaseSensitive, UnaryOperator<Object> key, Budget budget) {
        budget.elements(items.size());
        Comparator<Object> order = (a, b) -> Comparisons.order(
                sortKey(key.apply(a), isCaseSensitive), sortKey(key.apply(b), isCaseSensitive), budget);
        items.sort(isReversed ? order.reversed() : order);
    }

    private static Object unique(Object value, Arguments arguments, Run run) {
        Arguments.Bound bound = arguments.bind("unique", "case_sensitive", "attribute");
        Object attribute = bound.get(1, null);
        Set<Object> seen = new HashSet<>();
        List<Object> found = new ArrayList<>();
        for (Object item : Values.elements(value, run.budget())) {
            run.budget().elements(1);
            if (seen.add(Values.key(sortKey(attribute == null ? item : at(item, attribute), bound.flag(0, false))))) {
                found.add(item);
            }
        }
        return found;
    }

    private static Object extreme(Object value, Arguments arguments, Run run, int sign) {
        Arguments.Bound bound = arguments.bind("min and max", "case_sensitive", "attribute");
        Object attribute = bound.get(1, null);
        BinaryOperator<Object> better = (a, b) -> {
            Object left = attribute == null ? a : at(a, attribute);
            Object right = attribute == null ? b : at(b, attribute);
            int order = Comparisons.order(
                    sortKey(left, bound.flag(0, false)), sortKey(right, bound.flag(0, false)), run.budget());
            return sign * order < 0 ? b : a;
        };
        List<Object> elements = Values.elements(value, run.budget());
        run.budget().steps(elements.size());
        return elements.isEmpty()
                ? new Undefined("there are no elements")
                : elements.stream().reduce(better).get();
    }

    private static Object sum(Object value, Arguments arguments, Run run) {
        Arguments.Bound bound = arguments.bind("sum", "attribute", "start");
        Object attribute = bound.get(0, null);
        Object sum = bound.get(1, 0L);
        for (Object item : Values.elements(value, run.budget())) {
            run.budget().step();
            sum = Arithmetic.apply("+", sum, attribute == null ? item : at(item, attribute), run.budget());
        }
        return sum;
    }

    private static Object map(Object value, Arguments arguments, Run run) {
        List<Object> mapped = new ArrayList<>();
        boolean isFilter = !arguments.positional().isEmpty();
        Arguments.Bound bound = isFilter ? null : arguments.bind("map", "attribute", "default");
        String filter =
                isFilter ? Values.text(arguments.positional().get(0), "map").text() : "";
        for (Object item : orNone(value, run.budget())) {
            run.budget().elements(1);
            if (isFilter) {
                mapped.add(Filters.apply(filter, item, arguments.from(1), run));
            } else {
                Object found = at(item, bound.get(0));
                mapped.add(found instanceof Undefined && bound.has(1) ? bound.get(1) : found);
            }
        }
        return mapped;
    }

    private static Object select(Object value, Arguments arguments, Run run, boolean byAttribute, boolean isSelected) {
        int first = byAttribute ? 1 : 0;
        List<Object> given = arguments.positional();
        if (given.size() < first) {
            throw new Failure("a selection by attribute needs the attribute");
        }
        String test = given.size() > first
                ? Values.text(given.get(first), "a selection").text()
                : null;
        Arguments others = arguments.from(first + 1);
        List<Object> found = new ArrayList<>();
        for (Object item : orNone(value, run.budget())) {
            run.budget().elements(1);
            Object asked = byAttribute ? at(item, given.get(0)) : item;
            boolean answer = test == null ? Values.isTrue(asked) : Tests.apply(test, asked, others, run);
            if (answer == isSelected) {
                found.add(item);
            }
        }
        return found;
    }

    /** What is false has nothing to choose from: None, too. */
    private static List<Object> orNone(Object value, Budget budget) {
        return Values.isTrue(value) ? Values.elements(value, budget) : List.of();
    }

    private static Object groups(Object value, Arguments arguments, Run run) {
        Arguments.Bound bound = arguments.bind("groupby", "attribute", "default", "case_sensitive");
        UnaryOperator<Object> key = item -> {
            Object found = at(item, bound.get(0));
            return found instanceof Undefined && bound.has(1) ? bound.get(1) : found;
        };
        List<Object> items = copy(value, run.budget());
        sort(items, false, bound.flag(2, false), key, run.budget());
        List<Object> groups = new ArrayList<>();
        Object last = null;
        List<Object> group = null;
        for (Object item : items) {
            Object own = key.apply(item);
            Object compared = sortKey(own, bound.flag(2, false));
            if (group == null || !Comparisons.equal(compared, last, run.budget())) {
                group = new ArrayList<>();
                groups.add(Tuple.of(own, group));
                last = compared;
            }
            group.add(item);
        }
        return groups;
    }

    private static Object batches(Object value, Arguments arguments, Run run) {
        Arguments.Bound bound = arguments.bind("batch", "linecount", "fill_with");
        long size = bound.integer(0, 0);
        if (size < 1) {
            throw new Failure("batch needs a size of 1 or more");
        }
        List<Object> batches = new ArrayList<>();
        List<Object> batch = null;
        for (Object item : Values.elements(value, run.budget())) {
            run.budget().elements(2);
            if (batch == null || batch.size() == size) {
                batch = new ArrayList<>();
                batches.add(batch);
            }
            batch.add(item);
        }
        while (batch != null && bound.get(1, null) != null && batch.size() < size) {
            run.budget().elements(1);
            batch.add(bound.get(1));
        }
        return batches;
    }
}
