package io.hydra4j.text.jinja;

import io.hydra4j.text.PromptText;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** {@code "%s is %d" % (name, number)}. */
final class PercentFormat {
    private static final Pattern FIELD = Pattern.compile(
            "%(?:\\((?<name>[^)]*)\\))?(?<left>-)?(?<zero>0)?(?<width>\\d{1,9})?(?<precision>\\.\\d{1,9})?(?<kind>[srdifgexX%])");

    private PercentFormat() {}

    static PromptText format(PromptText format, Object values, Budget budget) {
        List<?> items = values instanceof Tuple tuple ? tuple : Collections.singletonList(values);
        TextWriter out = new TextWriter(budget);
        Matcher field = FIELD.matcher(format.text());
        int next = 0;
        int from = 0;
        for (int at = format.text().indexOf('%'); at >= 0; at = format.text().indexOf('%', from)) {
            budget.step();
            out.write(format.substring(from, at));
            if (!field.region(at, format.length()).lookingAt()) {
                throw new Failure("a '%' in a format stands before nothing that is known here");
            }
            from = field.end();
            if (field.group("kind").equals("%")) {
                out.write(format.substring(at, at + 1));
                continue;
            }
            if (field.group("name") == null && next == items.size()) {
                throw new Failure("a format has more fields than there are values");
            }
            Object value = field.group("name") == null
                    ? items.get(next++)
                    : named(values, PromptText.own(field.group("name")));
            out.write(laidOut(value, field, budget));
        }
        if (next < items.size() && !(values instanceof Map)) {
            throw new Failure("a format has fewer fields than there are values");
        }
        return out.write(format.substring(from, format.length())).text();
    }

    private static Object named(Object values, PromptText name) {
        Map<Object, Object> map = Values.mapping(values, "a format with names");
        if (!map.containsKey(name)) {
            throw new Failure("a format has no value '" + name + "'");
        }
        return map.get(name);
    }

    private static PromptText laidOut(Object value, Matcher field, Budget budget) {
        String kind = field.group("kind");
        boolean isText = kind.equals("s") || kind.equals("r");
        String width = field.group("width") == null ? "" : field.group("width");
        String precision = field.group("precision") == null ? "" : field.group("precision");
        String align = field.group("left") != null ? "<" : isText ? ">" : "";
        String zero = field.group("zero") != null && align.isEmpty() ? "0" : "";
        if (isText) {
            PromptText text = kind.equals("r") ? PythonText.written(value, budget) : PythonText.of(value, budget);
            return FieldFormat.format(text, align + width + precision + "s", budget);
        }
        boolean isWhole = kind.equals("d") || kind.equals("i");
        Object number = isWhole && value instanceof Double real ? Long.valueOf(real.longValue()) : value;
        return FieldFormat.format(number, align + zero + width + precision + (isWhole ? "d" : kind), budget);
    }
}
