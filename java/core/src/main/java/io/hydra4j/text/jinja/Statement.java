package io.hydra4j.text.jinja;

import io.hydra4j.text.PromptText;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What a template does. */
sealed interface Statement {
    /** What comes next. */
    enum Flow {
        NEXT,
        BREAK,
        CONTINUE
    }

    Flow execute(Scope scope);

    record Data(PromptText text) implements Statement {
        @Override
        public Flow execute(Scope scope) {
            scope.out().write(text);
            return Flow.NEXT;
        }
    }

    record Print(Expression value) implements Statement {
        @Override
        public Flow execute(Scope scope) {
            scope.out().write(PythonText.of(value.value(scope), scope.budget()));
            return Flow.NEXT;
        }
    }

    /** The first body whose condition is met; the last one has none where there is an else. */
    record If(List<Expression> conditions, List<Body> bodies) implements Statement {
        @Override
        public Flow execute(Scope scope) {
            for (int i = 0; i < bodies.size(); i++) {
                if (i == conditions.size() || Values.isTrue(conditions.get(i).value(scope))) {
                    return bodies.get(i).execute(scope);
                }
            }
            return Flow.NEXT;
        }
    }

    /**
     * @param condition null where all elements are gone through
     * @param otherwise null where nothing is done instead of no iteration
     */
    record For(
            Target target,
            Expression elements,
            Expression condition,
            Body body,
            Body otherwise,
            boolean isRecursive,
            int levels)
            implements Statement {
        @Override
        public Flow execute(Scope scope) {
            run(elements.value(scope), scope, 0);
            return Flow.NEXT;
        }

        private void run(Object value, Scope scope, int depth) {
            List<Object> items = chosen(Values.elements(value, scope.budget()), scope);
            Loop loop = new Loop(items, depth, isRecursive ? (arguments, run) -> again(arguments, scope, depth) : null);
            boolean isBroken = false;
            for (int i = 0; i < items.size() && !isBroken; i++) {
                scope.budget().step();
                Scope inner = scope.inner();
                loop.at(i);
                inner.set("loop", loop);
                target.assign(items.get(i), inner);
                isBroken = body.execute(inner) == Flow.BREAK;
            }
            if (items.isEmpty() && otherwise != null) {
                otherwise.execute(scope.inner());
            }
        }

        private Object again(Arguments arguments, Scope scope, int depth) {
            Object value = arguments.bind("loop()", "iterable").get(0);
            scope.budget().enter(levels);
            Scope inner = scope.writing();
            run(value, inner, depth + 1);
            scope.budget().leave(levels);
            return inner.out().text();
        }

        private List<Object> chosen(List<Object> all, Scope scope) {
            if (condition == null) {
                return all;
            }
            List<Object> chosen = new ArrayList<>();
            for (Object item : all) {
                scope.budget().elements(1);
                Scope inner = scope.inner();
                target.assign(item, inner);
                if (Values.isTrue(condition.value(inner))) {
                    chosen.add(item);
                }
            }
            return chosen;
        }
    }

    record Set(Target target, Expression value) implements Statement {
        @Override
        public Flow execute(Scope scope) {
            target.assign(value.value(scope), scope);
            return Flow.NEXT;
        }
    }

    /** A variable that gets the text that a body writes. */
    record SetText(Target target, List<Suffix> filters, Body body) implements Statement {
        @Override
        public Flow execute(Scope scope) {
            target.assign(written(body, filters, scope), scope);
            return Flow.NEXT;
        }
    }

    /** Filters on the text that a body writes. */
    record Filtered(List<Suffix> filters, Body body) implements Statement {
        @Override
        public Flow execute(Scope scope) {
            scope.out().write(PythonText.of(written(body, filters, scope), scope.budget()));
            return Flow.NEXT;
        }
    }

    private static Object written(Body body, List<Suffix> filters, Scope scope) {
        Scope inner = scope.writing();
        body.execute(inner);
        Object value = inner.out().text();
        for (Suffix filter : filters) {
            value = filter.apply(value, scope);
        }
        return value;
    }

    record With(List<Target> targets, List<Expression> values, Body body) implements Statement {
        @Override
        public Flow execute(Scope scope) {
            Scope inner = scope.inner();
            for (int i = 0; i < targets.size(); i++) {
                targets.get(i).assign(values.get(i).value(scope), inner);
            }
            return body.execute(inner);
        }
    }

    /**
     * @param defaults of the parameters, null where there is none
     * @param levels of the body, inside each other
     */
    record MacroDefinition(
            String name,
            List<String> parameters,
            List<Expression> defaults,
            Body body,
            boolean usesCaller,
            boolean usesMore,
            boolean usesMoreNamed,
            int levels)
            implements Statement {
        @Override
        public Flow execute(Scope scope) {
            scope.set(name, new Macro(this, scope));
            return Flow.NEXT;
        }
    }

    /** A call of a macro that is given a body. */
    record CallWithBody(Expression function, ArgumentList arguments, MacroDefinition caller) implements Statement {
        @Override
        public Flow execute(Scope scope) {
            Arguments given = arguments.values(scope);
            Map<String, Object> named = new LinkedHashMap<>(given.named());
            named.put("caller", new Macro(caller, scope));
            if (!(Values.defined(function.value(scope)) instanceof Callable callable)) {
                throw new Failure("what is called is no macro");
            }
            Object value = callable.call(new Arguments(given.positional(), named), scope.run());
            scope.out().write(PythonText.of(value, scope.budget()));
            return Flow.NEXT;
        }
    }

    /** A body that stands for itself. */
    record Plain(Body body) implements Statement {
        @Override
        public Flow execute(Scope scope) {
            return body.execute(scope);
        }
    }

    record Jump(Flow flow) implements Statement {
        @Override
        public Flow execute(Scope scope) {
            return flow;
        }
    }
}
