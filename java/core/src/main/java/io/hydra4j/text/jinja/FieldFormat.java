package io.hydra4j.text.jinja;

import io.hydra4j.text.PromptText;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** One value laid out: {@code [[fill]align][sign][0][width][,][.precision][kind]}. */
final class FieldFormat {
    private static final Pattern SPECIFICATION = Pattern.compile(
            "(?:(?<fill>.)?(?<align>[<>^=]))?(?<sign>[-+ ])?(?<zero>0)?(?<width>\\d{1,9})?(?<comma>,)?(?:\\.(?<precision>\\d{1,9}))?(?<kind>[sdfFeEgGxXob%])?",
            Pattern.DOTALL);
    private static final int MOST_DIGITS = 100;

    private FieldFormat() {}

    static PromptText format(Object value, String specification, Budget budget) {
        if (specification.isEmpty()) {
            return PythonText.of(value, budget);
        }
        Matcher parts = SPECIFICATION.matcher(specification);
        if (!parts.matches()) {
            throw new Failure("the format '" + specification + "' is not known here");
        }
        boolean isNumber = Comparisons.isNumber(value) && !(value instanceof Boolean);
        PromptText text = isNumber ? PromptText.own(number(value, parts)) : text(value, parts, budget);
        String width = parts.group("width");
        long missing = width == null ? 0 : Math.max(0, Long.parseLong(width) - Values.length(text));
        boolean isZero = parts.group("zero") != null;
        String align = parts.group("align") != null ? parts.group("align") : isZero ? "=" : isNumber ? ">" : "<";
        PromptText fill = PromptText.own(parts.group("fill") != null ? parts.group("fill") : isZero ? "0" : " ");
        boolean isSigned = align.equals("=") && text.text().matches("(?s)[-+ ].*");
        long before =
                switch (align) {
                    case "<" -> 0;
                    case "^" -> missing / 2;
                    default -> missing;
                };
        return new TextWriter(budget)
                .write(text.substring(0, isSigned ? 1 : 0))
                .repeat(fill, before)
                .write(text.substring(isSigned ? 1 : 0, text.length()))
                .repeat(fill, missing - before)
                .text();
    }

    private static PromptText text(Object value, Matcher parts, Budget budget) {
        String kind = parts.group("kind");
        if (kind != null && !kind.equals("s")) {
            throw new Failure("the format '" + kind + "' needs a number, not " + Values.kind(value));
        }
        PromptText text = PythonText.of(value, budget);
        String precision = parts.group("precision");
        if (precision == null || Long.parseLong(precision) >= Values.length(text)) {
            return text;
        }
        return text.substring(0, text.text().offsetByCodePoints(0, Integer.parseInt(precision)));
    }

    private static String number(Object value, Matcher parts) {
        String kind = parts.group("kind") == null ? "" : parts.group("kind");
        String digits = digits(value, kind, parts.group("precision"), parts.group("comma") != null);
        String sign = parts.group("sign");
        return sign == null || sign.equals("-") || digits.startsWith("-") ? digits : sign + digits;
    }

    private static String digits(Object value, String kind, String precision, boolean comma) {
        boolean isWhole = value instanceof Long && precision == null;
        switch (kind) {
            case "x", "X", "o", "b":
                long number = Values.integer(value, "the format '" + kind + "'");
                String digits = Long.toString(number, kind.equals("o") ? 8 : kind.equals("b") ? 2 : 16);
                return kind.equals("X") ? digits.toUpperCase(Locale.ROOT) : digits;
            case "d":
                return String.format(Locale.ROOT, comma ? "%,d" : "%d", Values.integer(value, "the format 'd'"));
            case "", "s":
                if (isWhole) {
                    return String.format(Locale.ROOT, comma ? "%,d" : "%d", value);
                }
                if (precision == null && !comma) {
                    return PythonText.real(Comparisons.number(value));
                }
                break;
            default:
                break;
        }
        int places = precision == null ? 6 : (int) Math.min(MOST_DIGITS, Long.parseLong(precision));
        double number = Comparisons.number(value);
        return switch (kind) {
            case "%" -> fixed(100 * number, places, comma) + "%";
            case "f", "F" -> fixed(number, places, comma);
            case "e", "E" -> String.format(Locale.ROOT, "%." + places + kind, number);
            default -> PythonText.rounded(number, Math.max(1, places));
        };
    }

    /** Rounded by the exact value, as C does. */
    private static String fixed(double number, int places, boolean comma) {
        if (Double.isNaN(number) || Double.isInfinite(number)) {
            return PythonText.real(number);
        }
        BigDecimal rounded = new BigDecimal(number).setScale(places, RoundingMode.HALF_EVEN);
        return String.format(Locale.ROOT, (comma ? "%,." : "%.") + places + "f", rounded);
    }
}
