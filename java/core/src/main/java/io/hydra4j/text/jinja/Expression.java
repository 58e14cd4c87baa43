package io.hydra4j.text.jinja;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What has a value. */
sealed interface Expression {
    /** The value; pays for what it computes. */
    Object value(Scope scope);

    record Constant(Object constant) implements Expression {
        @Override
        public Object value(Scope scope) {
            return constant;
        }
    }

    record Name(String name) implements Expression {
        @Override
        public Object value(Scope scope) {
            scope.budget().step();
            return scope.get(name);
        }
    }

    record ListLiteral(List<Expression> items) implements Expression {
        @Override
        public Object value(Scope scope) {
            return values(items, scope);
        }
    }

    record TupleLiteral(List<Expression> items) implements Expression {
        @Override
        public Object value(Scope scope) {
            return new Tuple(values(items, scope));
        }
    }

    private static List<Object> values(List<Expression> items, Scope scope) {
        scope.budget().elements(items.size() + 1L);
        List<Object> values = new ArrayList<>(items.size());
        for (Expression item : items) {
            values.add(item.value(scope));
        }
        return values;
    }

    record MapLiteral(List<Expression> keys, List<Expression> values) implements Expression {
        @Override
        public Object value(Scope scope) {
            scope.budget().elements(keys.size() + 1L);
            Map<Object, Object> map = new LinkedHashMap<>();
            for (int i = 0; i < keys.size(); i++) {
                map.put(Values.key(keys.get(i).value(scope)), values.get(i).value(scope));
            }
            return map;
        }
    }

    /** @param otherwise null where there is no other value */
    record Conditional(Expression condition, Expression value, Expression otherwise) implements Expression {
        @Override
        public Object value(Scope scope) {
            scope.budget().step();
            if (Values.isTrue(condition.value(scope))) {
                return value.value(scope);
            }
            return otherwise == null ? new Undefined("a condition without 'else' is not met") : otherwise.value(scope);
        }
    }

    /** The first part that decides: the first true one with "or", the first false one with "and"; else the last. */
    record Joined(List<Expression> parts, boolean isOr) implements Expression {
        @Override
        public Object value(Scope scope) {
            Object value = null;
            for (Expression part : parts) {
                scope.budget().step();
                value = part.value(scope);
                if (Values.isTrue(value) == isOr) {
                    break;
                }
            }
            return value;
        }
    }

    record Truth(Expression value, boolean isNegated) implements Expression {
        @Override
        public Object value(Scope scope) {
            scope.budget().step();
            return Values.isTrue(value.value(scope)) != isNegated;
        }
    }

    record Signed(Expression value, boolean isNegated) implements Expression {
        @Override
        public Object value(Scope scope) {
            scope.budget().step();
            Object number = value.value(scope);
            return isNegated ? Arithmetic.negated(number) : number;
        }
    }

    /** {@code a < b == c}: true if each of them is. */
    record Comparison(Expression first, List<String> operators, List<Expression> operands) implements Expression {
        @Override
        public Object value(Scope scope) {
            Object left = first.value(scope);
            for (int i = 0; i < operators.size(); i++) {
                Object right = operands.get(i).value(scope);
                if (!Comparisons.compare(operators.get(i), left, right, scope.budget())) {
                    return false;
                }
                left = right;
            }
            return true;
        }
    }

    /** Operators of one precedence, from left to right. */
    record Chain(Expression first, List<String> operators, List<Expression> operands) implements Expression {
        @Override
        public Object value(Scope scope) {
            Object value = first.value(scope);
            for (int i = 0; i < operators.size(); i++) {
                scope.budget().step();
                value = Arithmetic.apply(
                        operators.get(i), value, operands.get(i).value(scope), scope.budget());
            }
            return value;
        }
    }

    record Concatenation(List<Expression> parts) implements Expression {
        @Override
        public Object value(Scope scope) {
            TextWriter text = new TextWriter(scope.budget());
            for (Expression part : parts) {
                scope.budget().step();
                text.write(PythonText.of(part.value(scope), scope.budget()));
            }
            return text.text();
        }
    }

    /** A value and what follows it: attributes, calls, filters and tests. */
    record Postfix(Expression first, List<Suffix> suffixes) implements Expression {
        @Override
        public Object value(Scope scope) {
            Object value = first.value(scope);
            for (Suffix suffix : suffixes) {
                scope.budget().step();
                value = suffix.apply(value, scope);
            }
            return value;
        }
    }
}
