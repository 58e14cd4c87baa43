package io.hydra4j.text.jinja;

import java.util.HashMap;
import java.util.Map;

/** Variables, those of what stands around them, and where text is written. */
final class Scope {
    private final Run run;
    private final Scope outer;
    private final TextWriter out;
    private final Map<String, Object> variables = new HashMap<>();

    private Scope(Run run, Scope outer, TextWriter out) {
        this.run = run;
        this.outer = outer;
        this.out = out;
    }

    static Scope root(Run run, Map<String, Object> variables) {
        Scope scope = new Scope(run, null, new TextWriter(run.budget()));
        scope.variables.putAll(variables);
        return scope;
    }

    /** A scope inside this one, which writes where this one does. */
    Scope inner() {
        return new Scope(run, this, out);
    }

    /** A scope inside this one, which writes a text of its own. */
    Scope writing() {
        return new Scope(run, this, new TextWriter(run.budget()));
    }

    Run run() {
        return run;
    }

    Budget budget() {
        return run.budget();
    }

    TextWriter out() {
        return out;
    }

    void set(String name, Object value) {
        variables.put(name, value);
    }

    Object get(String name) {
        for (Scope scope = this; scope != null; scope = scope.outer) {
            Object value = scope.variables.get(name);
            if (value != null || scope.variables.containsKey(name)) {
                return value;
            }
        }
        Object global = Globals.get(name);
        return global == null ? Undefined.name(name) : global;
    }
}
