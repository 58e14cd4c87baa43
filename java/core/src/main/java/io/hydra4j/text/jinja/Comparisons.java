package io.hydra4j.text.jinja;

import io.hydra4j.text.PromptText;
import java.util.Iterator;
import java.util.List;
import java.util.Map;

/** Equality, order and membership, as Python has them. */
final class Comparisons {
    private Comparisons() {}

    static boolean compare(String operator, Object left, Object right, Budget budget) {
        return switch (operator) {
            case "==" -> equal(left, right, budget);
            case "!=" -> !equal(left, right, budget);
            case "in" -> contains(right, left, budget);
            case "not in" -> !contains(right, left, budget);
            case "<" -> order(left, right, budget) < 0;
            case "<=" -> order(left, right, budget) <= 0;
            case ">" -> order(left, right, budget) > 0;
            default -> order(left, right, budget) >= 0;
        };
    }

    static boolean equal(Object left, Object right, Budget budget) {
        budget.step();
        if (left == right) {
            return true;
        }
        if (left instanceof PromptText a && right instanceof PromptText b) {
            budget.steps(Math.min(a.length(), b.length()) / 64);
            return a.equals(b);
        }
        if (isNumber(left) && isNumber(right)) {
            return left instanceof Double || right instanceof Double
                    ? number(left) == number(right)
                    : whole(left) == whole(right);
        }
        if (left instanceof List<?> a && right instanceof List<?> b) {
            return left instanceof Tuple == right instanceof Tuple && equalLists(a, b, budget);
        }
        if (left instanceof Map<?, ?> a && right instanceof Map<?, ?> b) {
            return equalMaps(a, b, budget);
        }
        return left instanceof Undefined && right instanceof Undefined;
    }

    private static boolean equalLists(List<?> left, List<?> right, Budget budget) {
        boolean equal = left.size() == right.size();
        budget.enter(1);
        Iterator<?> others = right.iterator();
        for (Iterator<?> items = left.iterator(); equal && items.hasNext(); ) {
            equal = equal(items.next(), others.next(), budget);
        }
        budget.leave(1);
        return equal;
    }

    private static boolean equalMaps(Map<?, ?> left, Map<?, ?> right, Budget budget) {
        boolean equal = left.size() == right.size();
        budget.enter(1);
        for (Iterator<? extends Map.Entry<?, ?>> entries = left.entrySet().iterator(); equal && entries.hasNext(); ) {
            Map.Entry<?, ?> entry = entries.next();
            equal = right.containsKey(entry.getKey()) && equal(entry.getValue(), right.get(entry.getKey()), budget);
        }
        budget.leave(1);
        return equal;
    }

    static boolean contains(Object container, Object value, Budget budget) {
        if (container instanceof PromptText text) {
            return Search.indexOf(text, Values.text(value, "'in' a text"), 0, budget) >= 0;
        }
        if (container instanceof Map<?, ?> map) {
            return map.containsKey(Values.key(value));
        }
        for (Object item : Values.elements(container, budget)) {
            if (equal(item, value, budget)) {
                return true;
            }
        }
        return false;
    }

    /** Negative, 0 or positive. */
    static int order(Object left, Object right, Budget budget) {
        budget.step();
        if (left instanceof PromptText a && right instanceof PromptText b) {
            budget.steps(Math.min(a.length(), b.length()) / 64);
            return a.compareTo(b);
        }
        if (isNumber(left) && isNumber(right)) {
            return left instanceof Double || right instanceof Double
                    ? Double.compare(number(left), number(right))
                    : Long.compare(whole(left), whole(right));
        }
        if (left instanceof List<?> a && right instanceof List<?> b) {
            return orderLists(a, b, budget);
        }
        throw new Failure(
                Values.kind(Values.defined(left)) + " and " + Values.kind(Values.defined(right)) + " have no order");
    }

    private static int orderLists(List<?> left, List<?> right, Budget budget) {
        budget.enter(1);
        Iterator<?> others = right.iterator();
        for (Object item : left) {
            if (!others.hasNext()) {
                break;
            }
            Object other = others.next();
            if (!equal(item, other, budget)) {
                int order = order(item, other, budget);
                budget.leave(1);
                return order;
            }
        }
        budget.leave(1);
        return Integer.compare(left.size(), right.size());
    }

    static boolean isNumber(Object value) {
        return value instanceof Number || value instanceof Boolean;
    }

    static double number(Object value) {
        return value instanceof Boolean flag ? flag ? 1 : 0 : ((Number) value).doubleValue();
    }

    static long whole(Object value) {
        return value instanceof Boolean flag ? flag ? 1 : 0 : (Long) value;
    }
}
