package io.hydra4j.text.jinja;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** The methods of mappings and lists. Those that would change one are refused, as they are by others. */
final class CollectionMethods {
    private static final Set<String> CHANGING_MAP =
            Set.of("clear", "pop", "popitem", "setdefault", "update", "__setitem__", "__delitem__");
    private static final Set<String> CHANGING_LIST =
            Set.of("append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort");

    private CollectionMethods() {}

    /** Null where there is none. */
    static Callable ofMap(Map<?, ?> map, String name) {
        return switch (name) {
            case "items" -> (arguments, run) -> items(map, arguments, run);
            case "keys" -> (arguments, run) -> {
                arguments.bind("keys()");
                return Values.elements(map, run.budget());
            };
            case "values" -> (arguments, run) -> {
                arguments.bind("values()");
                run.budget().elements(map.size());
                return new ArrayList<Object>(map.values());
            };
            case "get" -> (arguments, run) -> {
                Arguments.Bound bound = arguments.bind("get()", "key", "default");
                Object key = Values.key(bound.get(0));
                return map.containsKey(key) ? map.get(key) : bound.get(1, null);
            };
            case "copy" -> (arguments, run) -> map;
            default -> CHANGING_MAP.contains(name) ? refused(name, "mapping") : null;
        };
    }

    static List<Object> items(Map<?, ?> map, Arguments arguments, Run run) {
        arguments.bind("items()");
        run.budget().elements(3L * map.size());
        List<Object> items = new ArrayList<>();
        map.forEach((key, value) -> items.add(Tuple.of(key, value)));
        return items;
    }

    /** Null where there is none. */
    static Callable ofList(List<?> list, String name) {
        return switch (name) {
            case "index" -> (arguments, run) -> {
                Object wanted = arguments.bind("index()", "value").get(0);
                for (int i = 0; i < list.size(); i++) {
                    if (Comparisons.equal(list.get(i), wanted, run.budget())) {
                        return (long) i;
                    }
                }
                throw new Failure("index(): the list has no such element");
            };
            case "count" -> (arguments, run) -> {
                Object wanted = arguments.bind("count()", "value").get(0);
                return Values.items(list).stream()
                        .filter(each -> Comparisons.equal(each, wanted, run.budget()))
                        .count();
            };
            case "copy" -> (arguments, run) -> list;
            default -> CHANGING_LIST.contains(name) ? refused(name, "list") : null;
        };
    }

    private static Callable refused(String name, String kind) {
        return (arguments, run) -> {
            throw new Failure(name + "() would change a " + kind + ": a template may not");
        };
    }
}
