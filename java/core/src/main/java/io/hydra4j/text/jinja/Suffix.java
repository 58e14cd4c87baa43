package io.hydra4j.text.jinja;

import io.hydra4j.text.PromptText;
import java.util.ArrayList;
import java.util.List;

/** What is made of the value before it. */
sealed interface Suffix {
    Object apply(Object value, Scope scope);

    record Attribute(String name) implements Suffix {
        @Override
        public Object apply(Object value, Scope scope) {
            return Attributes.attribute(value, name);
        }
    }

    record Item(Expression key) implements Suffix {
        @Override
        public Object apply(Object value, Scope scope) {
            return Attributes.item(value, key.value(scope));
        }
    }

    /** {@code [from:to:step]}, each of them null where it is left out. */
    record Slice(Expression from, Expression to, Expression step) implements Suffix {
        @Override
        public Object apply(Object value, Scope scope) {
            boolean isText = value instanceof PromptText;
            if (value instanceof Undefined undefined) {
                throw undefined.failure();
            }
            if (!isText && !(value instanceof List)) {
                throw new Failure(Values.kind(value) + " has no parts");
            }
            long step = bound(this.step, 1, scope);
            if (step == 0) {
                throw new Failure("a slice needs a step other than 0");
            }
            long length = Values.length(value);
            long first = clipped(bound(from, step > 0 ? 0 : length - 1, scope), from, length, step);
            long end = to == null ? (step > 0 ? length : -1) : clipped(bound(to, 0, scope), to, length, step);
            if (isText && step == 1) {
                return part((PromptText) value, first, end);
            }
            List<Object> items = Values.elements(value, scope.budget());
            List<Object> found = new ArrayList<>();
            for (long i = first; step > 0 ? i < end : i > end; i += step) {
                scope.budget().elements(1);
                found.add(items.get((int) i));
            }
            if (isText) {
                TextWriter text = new TextWriter(scope.budget());
                found.forEach(each -> text.write((PromptText) each));
                return text.text();
            }
            return value instanceof Tuple ? new Tuple(found) : found;
        }

        private static PromptText part(PromptText text, long first, long end) {
            int from = text.text().offsetByCodePoints(0, (int) first);
            return text.substring(from, text.text().offsetByCodePoints(from, (int) Math.max(0, end - first)));
        }

        private static long bound(Expression bound, long otherwise, Scope scope) {
            Object value = bound == null ? null : bound.value(scope);
            return value == null ? otherwise : Values.integer(value, "a slice");
        }

        private static long clipped(long index, Expression given, long length, long step) {
            long counted = given != null && index < 0 ? index + length : index;
            return step > 0 ? Math.max(0, Math.min(counted, length)) : Math.max(-1, Math.min(counted, length - 1));
        }
    }

    record Call(ArgumentList arguments) implements Suffix {
        @Override
        public Object apply(Object value, Scope scope) {
            if (Values.defined(value) instanceof Callable function) {
                return function.call(arguments.values(scope), scope.run());
            }
            throw new Failure(Values.kind(value) + " cannot be called");
        }
    }

    record Filter(String name, ArgumentList arguments) implements Suffix {
        @Override
        public Object apply(Object value, Scope scope) {
            return Filters.apply(name, value, arguments.values(scope), scope.run());
        }
    }

    record Test(String name, ArgumentList arguments, boolean isNegated) implements Suffix {
        @Override
        public Object apply(Object value, Scope scope) {
            return Tests.apply(name, value, arguments.values(scope), scope.run()) != isNegated;
        }
    }
}
