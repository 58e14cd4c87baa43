package io.hydra4j.text.jinja;

import io.hydra4j.text.PromptText;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** A macro, with the scope in which it was defined. */
final class Macro implements Callable {
    private final Statement.MacroDefinition definition;
    private final Scope scope;

    Macro(Statement.MacroDefinition definition, Scope scope) {
        this.definition = definition;
        this.scope = scope;
    }

    String name() {
        return definition.name();
    }

    @Override
    public Object call(Arguments arguments, Run run) {
        run.budget().enter(definition.levels());
        Scope inner = scope.writing();
        bind(arguments, inner);
        definition.body().execute(inner);
        run.budget().leave(definition.levels());
        return inner.out().text();
    }

    private void bind(Arguments arguments, Scope inner) {
        List<String> parameters = definition.parameters();
        List<Object> positional = arguments.positional();
        Map<String, Object> named = new LinkedHashMap<>(arguments.named());
        if (definition.usesCaller()) {
            inner.set("caller", named.containsKey("caller") ? named.remove("caller") : Undefined.name("caller"));
        }
        for (int i = 0; i < parameters.size(); i++) {
            String parameter = parameters.get(i);
            Expression otherwise = definition.defaults().get(i);
            if (i < positional.size()) {
                inner.set(parameter, positional.get(i));
            } else if (named.containsKey(parameter)) {
                inner.set(parameter, named.remove(parameter));
            } else {
                inner.set(parameter, otherwise == null ? Undefined.name(parameter) : otherwise.value(inner));
            }
        }
        List<Object> more = positional.subList(Math.min(parameters.size(), positional.size()), positional.size());
        if (definition.usesMore()) {
            inner.set("varargs", new Tuple(new ArrayList<>(more)));
        } else if (!more.isEmpty()) {
            throw new Failure(
                    "the macro '" + name() + "' takes " + parameters.size() + " arguments, not " + positional.size());
        }
        if (definition.usesMoreNamed()) {
            Map<Object, Object> others = new LinkedHashMap<>();
            named.forEach((name, value) -> others.put(PromptText.own(name), value));
            inner.set("kwargs", others);
        } else if (!named.isEmpty()) {
            throw new Failure("the macro '" + name() + "' has no argument '"
                    + named.keySet().iterator().next() + "', or has it twice");
        }
    }
}
