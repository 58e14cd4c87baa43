package io.hydra4j.text.jinja;

import io.hydra4j.text.PromptText;
import java.util.ArrayList;
import java.util.List;

/** What operators compute. Whole numbers have 64 bits; what does not fit is a failure. */
final class Arithmetic {
    private Arithmetic() {}

    static Object apply(String operator, Object left, Object right, Budget budget) {
        Values.defined(left);
        Values.defined(right);
        if (operator.equals("+") && left instanceof PromptText a && right instanceof PromptText b) {
            return new TextWriter(budget).write(a).write(b).text();
        }
        if (operator.equals("+") && left instanceof List<?> a && right instanceof List<?> b) {
            return joined(a, b, budget);
        }
        if (operator.equals("*") && isSequence(left) && right instanceof Long times) {
            return repeated(left, times, budget);
        }
        if (operator.equals("*") && isSequence(right) && left instanceof Long times) {
            return repeated(right, times, budget);
        }
        if (operator.equals("%") && left instanceof PromptText format) {
            return PercentFormat.format(format, right, budget);
        }
        if (Comparisons.isNumber(left) && Comparisons.isNumber(right)) {
            return number(operator, left, right);
        }
        throw new Failure(
                "'" + operator + "' between " + Values.kind(left) + " and " + Values.kind(right) + " is not possible");
    }

    private static boolean isSequence(Object value) {
        return value instanceof PromptText || value instanceof List;
    }

    private static Object joined(List<?> left, List<?> right, Budget budget) {
        if (left instanceof Tuple != right instanceof Tuple) {
            throw new Failure("a list and a tuple cannot be added");
        }
        budget.elements(left.size() + (long) right.size());
        List<Object> all = new ArrayList<>(left);
        all.addAll(right);
        return left instanceof Tuple ? new Tuple(all) : all;
    }

    private static Object repeated(Object value, long times, Budget budget) {
        if (value instanceof PromptText text) {
            return new TextWriter(budget).repeat(text, times).text();
        }
        List<?> list = (List<?>) value;
        budget.elements(Math.min(Math.max(times, 0), Integer.MAX_VALUE) * list.size());
        List<Object> all = new ArrayList<>();
        for (long i = 0; i < times && !list.isEmpty(); i++) {
            all.addAll(list);
        }
        return value instanceof Tuple ? new Tuple(all) : all;
    }

    private static Object number(String operator, Object left, Object right) {
        try {
            boolean isWhole = !(left instanceof Double) && !(right instanceof Double);
            boolean isNegativePower = operator.equals("**") && Comparisons.number(right) < 0;
            if (isWhole && !operator.equals("/") && !isNegativePower) {
                return whole(operator, Comparisons.whole(left), Comparisons.whole(right));
            }
            return real(operator, Comparisons.number(left), Comparisons.number(right));
        } catch (ArithmeticException e) {
            throw new Failure("'" + operator + "' gives no number of 64 bits");
        }
    }

    private static long whole(String operator, long left, long right) {
        return switch (operator) {
            case "+" -> Math.addExact(left, right);
            case "-" -> Math.subtractExact(left, right);
            case "*" -> Math.multiplyExact(left, right);
            case "//" -> Math.floorDiv(left, right);
            case "%" -> Math.floorMod(left, right);
            default -> power(left, right);
        };
    }

    private static long power(long base, long exponent) {
        long result = 1;
        // More than 63 of them overflow, for any base that is not -1, 0 or 1.
        long times = Math.abs(base) > 1 ? Math.min(exponent, 64) : Math.min(exponent, 2 + exponent % 2);
        for (long i = 0; i < times; i++) {
            result = Math.multiplyExact(result, base);
        }
        return result;
    }

    private static double real(String operator, double left, double right) {
        if (right == 0 && (operator.equals("/") || operator.equals("//") || operator.equals("%"))) {
            throw new ArithmeticException();
        }
        return switch (operator) {
            case "+" -> left + right;
            case "-" -> left - right;
            case "*" -> left * right;
            case "/" -> left / right;
            case "//" -> Math.floor(left / right);
            case "%" -> left - Math.floor(left / right) * right;
            default -> Math.pow(left, right);
        };
    }

    static Object negated(Object value) {
        if (value instanceof Double number) {
            return -number;
        }
        if (Comparisons.isNumber(Values.defined(value))) {
            return number("-", 0L, value);
        }
        throw new Failure("'-' before " + Values.kind(value) + " is not possible");
    }
}
