package io.hydra4j.text.jinja;

import io.hydra4j.ChatTemplateException;
import io.hydra4j.text.PromptText;
import java.util.LinkedHashMap;
import java.util.Map;

/** The functions that each template has. */
final class Globals {
    private static final Map<String, Callable> FUNCTIONS = Map.of(
            "range", (arguments, run) -> range(arguments),
            "namespace", (arguments, run) -> namespace(arguments),
            "dict", (arguments, run) -> dict(arguments),
            "joiner",
                    (arguments, run) ->
                            new Joiner(arguments.bind("joiner()", "sep").get(0, PromptText.own(", "))),
            "cycler", (arguments, run) -> new Joiner.Cycler(arguments.positional()),
            "raise_exception", (arguments, run) -> refuse(arguments, run),
            "strftime_now", (arguments, run) -> now(arguments, run));

    private Globals() {}

    /** Null where there is none. */
    static Object get(String name) {
        return FUNCTIONS.get(name);
    }

    private static Object range(Arguments arguments) {
        Arguments.Bound bound = arguments.bind("range()", "start", "stop", "step");
        long first = bound.integer(0, 0);
        return bound.has(1) ? Values.range(first, bound.integer(1, 0), bound.integer(2, 1)) : Values.range(0, first, 1);
    }

    private static Object namespace(Arguments arguments) {
        Namespace namespace = new Namespace();
        for (Object each : arguments.positional()) {
            Values.mapping(each, "namespace()")
                    .forEach((name, value) ->
                            namespace.set(Values.text(name, "a name").text(), value));
        }
        arguments.named().forEach(namespace::set);
        return namespace;
    }

    private static Object dict(Arguments arguments) {
        Map<Object, Object> map = new LinkedHashMap<>();
        for (Object each : arguments.positional()) {
            map.putAll(Values.mapping(each, "dict()"));
        }
        arguments.named().forEach((name, value) -> map.put(PromptText.own(name), value));
        return map;
    }

    private static Object refuse(Arguments arguments, Run run) {
        Object message = arguments.bind("raise_exception()", "message").get(0);
        throw new ChatTemplateException.Refused(
                PythonText.of(message, run.budget()).text());
    }

    private static Object now(Arguments arguments, Run run) {
        Object format = arguments.bind("strftime_now()", "format").get(0);
        return Dates.format(Values.text(format, "strftime_now()"), run.now().get(), run.budget());
    }
}
