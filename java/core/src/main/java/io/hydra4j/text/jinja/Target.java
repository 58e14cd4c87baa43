package io.hydra4j.text.jinja;

import java.util.List;

/** What is assigned to. */
sealed interface Target {
    void assign(Object value, Scope scope);

    record Variable(String name) implements Target {
        @Override
        public void assign(Object value, Scope scope) {
            scope.set(name, value);
        }
    }

    record Attribute(String name, String attribute) implements Target {
        @Override
        public void assign(Object value, Scope scope) {
            if (!(scope.get(name) instanceof Namespace namespace)) {
                throw new Failure("'" + name + "' is no namespace: only those have attributes that are set");
            }
            namespace.set(attribute, value);
        }
    }

    record Several(List<Target> parts) implements Target {
        @Override
        public void assign(Object value, Scope scope) {
            List<Object> values = Values.elements(Values.defined(value), scope.budget());
            if (values.size() != parts.size()) {
                throw new Failure(values.size() + " values for " + parts.size() + " variables");
            }
            for (int i = 0; i < values.size(); i++) {
                parts.get(i).assign(values.get(i), scope);
            }
        }
    }
}
