package io.hydra4j.text.jinja;

import io.hydra4j.text.PromptText;
import java.math.BigDecimal;
import java.math.MathContext;
import java.util.List;
import java.util.Map;

/** How values print: as themselves, and as Python would write them down. */
final class PythonText {
    private static final int MOST_DIGITS = 17;
    /** Decimal exponents from which on Python writes numbers with one. */
    private static final int LARGE = 16;

    private static final int SMALL = -4;

    private PythonText() {}

    /** A value as it is printed. */
    static PromptText of(Object value, Budget budget) {
        if (value instanceof PromptText text) {
            return text;
        }
        if (value instanceof Undefined) {
            return PromptText.EMPTY;
        }
        return written(value, budget);
    }

    /** A value as it would stand in a program. */
    static PromptText written(Object value, Budget budget) {
        TextWriter out = new TextWriter(budget);
        write(value, out, budget);
        return out.text();
    }

    private static void write(Object value, TextWriter out, Budget budget) {
        budget.step();
        budget.enter(1);
        if (value instanceof PromptText text) {
            quote(text, out);
        } else if (value instanceof List<?> list) {
            writeList(list, out, budget);
        } else if (value instanceof Map<?, ?> map) {
            writeMap(map, out, budget);
        } else {
            out.write(scalar(value));
        }
        budget.leave(1);
    }

    private static String scalar(Object value) {
        if (value == null) {
            return "None";
        }
        if (value instanceof Boolean flag) {
            return flag ? "True" : "False";
        }
        if (value instanceof Double number) {
            return real(number);
        }
        if (value instanceof Long) {
            return value.toString();
        }
        return value instanceof Undefined
                ? "Undefined"
                : "<" + Values.kind(value).replaceFirst("^an? ", "") + ">";
    }

    private static void writeList(List<?> list, TextWriter out, Budget budget) {
        boolean isTuple = list instanceof Tuple;
        out.write(isTuple ? "(" : "[");
        String separator = "";
        for (Object item : list) {
            out.write(separator);
            write(item, out, budget);
            separator = ", ";
        }
        out.write(!isTuple ? "]" : list.size() == 1 ? ",)" : ")");
    }

    private static void writeMap(Map<?, ?> map, TextWriter out, Budget budget) {
        out.write("{");
        String separator = "";
        for (Map.Entry<?, ?> entry : map.entrySet()) {
            out.write(separator);
            write(entry.getKey(), out, budget);
            out.write(": ");
            write(entry.getValue(), out, budget);
            separator = ", ";
        }
        out.write("}");
    }

    private static void quote(PromptText value, TextWriter out) {
        String text = value.text();
        String quote = text.indexOf('\'') >= 0 && text.indexOf('"') < 0 ? "\"" : "'";
        out.write(quote);
        int from = 0;
        for (int at = 0; at < text.length(); ) {
            int c = text.codePointAt(at);
            int end = at + Character.charCount(c);
            String escape = escape(c, quote.charAt(0));
            if (escape != null) {
                out.write(value.substring(from, at)).write(escape, value.isForeign(at));
                from = end;
            }
            at = end;
        }
        out.write(value.substring(from, text.length())).write(quote);
    }

    /** Null for a character that stands for itself. */
    private static String escape(int c, char quote) {
        if (c == quote || c == '\\') {
            return "\\" + (char) c;
        }
        return switch (c) {
            case '\n' -> "\\n";
            case '\r' -> "\\r";
            case '\t' -> "\\t";
            default -> isPrintable(c)
                    ? null
                    : c < 0x100
                            ? String.format("\\x%02x", c)
                            : c < 0x10000 ? String.format("\\u%04x", c) : String.format("\\U%08x", c);
        };
    }

    private static boolean isPrintable(int c) {
        return switch (Character.getType(c)) {
            case Character.CONTROL,
                    Character.FORMAT,
                    Character.SURROGATE,
                    Character.PRIVATE_USE,
                    Character.UNASSIGNED,
                    Character.LINE_SEPARATOR,
                    Character.PARAGRAPH_SEPARATOR -> false;
            case Character.SPACE_SEPARATOR -> c == ' ';
            default -> true;
        };
    }

    /** The shortest digits that stand for a number, laid out as Python does. */
    static String real(double value) {
        if (Double.isNaN(value)) {
            return "nan";
        }
        if (Double.isInfinite(value)) {
            return value > 0 ? "inf" : "-inf";
        }
        if (value == 0) {
            return 1 / value < 0 ? "-0.0" : "0.0";
        }
        return laidOut(shortest(value), value < 0, LARGE, true);
    }

    /** A number rounded to so many digits, without zeros at its end. */
    static String rounded(double value, int digits) {
        if (Double.isNaN(value) || Double.isInfinite(value) || value == 0) {
            String text = real(value);
            return text.endsWith(".0") ? text.substring(0, text.length() - 2) : text;
        }
        BigDecimal rounded =
                new BigDecimal(value).round(new MathContext(digits)).stripTrailingZeros();
        return laidOut(rounded, value < 0, digits, false);
    }

    private static String laidOut(BigDecimal shortest, boolean isNegative, int large, boolean keepsPoint) {
        String digits = shortest.unscaledValue().abs().toString();
        int exponent = digits.length() - 1 - shortest.scale();
        String sign = isNegative ? "-" : "";
        if (exponent < SMALL || exponent >= large) {
            String fraction = digits.length() > 1 ? "." + digits.substring(1) : "";
            return sign + digits.charAt(0) + fraction + "e" + (exponent < 0 ? "-" : "+")
                    + (Math.abs(exponent) < 10 ? "0" : "") + Math.abs(exponent);
        }
        String plain = shortest.abs().toPlainString();
        return sign + (keepsPoint && plain.indexOf('.') < 0 ? plain + ".0" : plain);
    }

    private static BigDecimal shortest(double value) {
        BigDecimal exact = new BigDecimal(value);
        for (int digits = 1; digits < MOST_DIGITS; digits++) {
            BigDecimal rounded = exact.round(new MathContext(digits));
            if (rounded.doubleValue() == value) {
                return rounded.stripTrailingZeros();
            }
        }
        return exact.round(new MathContext(MOST_DIGITS)).stripTrailingZeros();
    }
}
