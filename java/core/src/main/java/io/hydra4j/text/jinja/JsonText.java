package io.hydra4j.text.jinja;

import io.hydra4j.text.PromptText;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Writes values as JSON, laid out as Python's json does. */
final class JsonText {
    private final TextWriter out;
    private final Budget budget;
    private final PromptText indent;
    private final PromptText itemSeparator;
    private final PromptText keySeparator;
    private final boolean ascii;
    private final boolean sorted;

    /** @param indent of one level; null for one line */
    JsonText(
            Budget budget,
            PromptText indent,
            PromptText itemSeparator,
            PromptText keySeparator,
            boolean ascii,
            boolean sorted) {
        this.budget = budget;
        this.indent = indent;
        this.itemSeparator = itemSeparator;
        this.keySeparator = keySeparator;
        this.ascii = ascii;
        this.sorted = sorted;
        out = new TextWriter(budget);
    }

    PromptText text(Object value) {
        write(value, 0);
        return out.text();
    }

    private void write(Object value, int level) {
        budget.step();
        budget.enter(1);
        if (value instanceof PromptText text) {
            quote(text);
        } else if (value instanceof List<?> list) {
            writeList(list, level + 1);
        } else if (value instanceof Map<?, ?> map) {
            writeMap(map, level + 1);
        } else {
            out.write(scalar(value));
        }
        budget.leave(1);
    }

    private static String scalar(Object value) {
        if (value == null) {
            return "null";
        }
        if (value instanceof Boolean || value instanceof Long) {
            return value.toString();
        }
        if (value instanceof Double number) {
            return Double.isNaN(number)
                    ? "NaN"
                    : Double.isInfinite(number) ? (number > 0 ? "Infinity" : "-Infinity") : PythonText.real(number);
        }
        throw new Failure("tojson cannot write " + Values.kind(Values.defined(value)));
    }

    private void writeList(List<?> list, int level) {
        if (list.isEmpty()) {
            out.write("[]");
            return;
        }
        out.write("[");
        boolean isFirst = true;
        for (Object item : list) {
            separate(isFirst, level);
            write(item, level);
            isFirst = false;
        }
        newLine(level - 1);
        out.write("]");
    }

    private void writeMap(Map<?, ?> map, int level) {
        if (map.isEmpty()) {
            out.write("{}");
            return;
        }
        out.write("{");
        boolean isFirst = true;
        for (Object key : keys(map)) {
            separate(isFirst, level);
            quote(key instanceof PromptText text ? text : PromptText.own(scalar(key)));
            out.write(keySeparator);
            write(map.get(key), level);
            isFirst = false;
        }
        newLine(level - 1);
        out.write("}");
    }

    private List<Object> keys(Map<?, ?> map) {
        List<Object> keys = new ArrayList<>(map.keySet());
        if (sorted) {
            keys.sort((a, b) -> Comparisons.order(a, b, budget));
        }
        return keys;
    }

    private void separate(boolean isFirst, int level) {
        if (!isFirst) {
            out.write(itemSeparator);
        }
        newLine(level);
    }

    private void newLine(int level) {
        if (indent != null) {
            out.write("\n").repeat(indent, level);
        }
    }

    private void quote(PromptText value) {
        String text = value.text();
        out.write("\"");
        int from = 0;
        for (int at = 0; at < text.length(); at++) {
            String escape = escape(text.charAt(at));
            if (escape != null) {
                out.write(value.substring(from, at)).write(escape, value.isForeign(at));
                from = at + 1;
            }
        }
        out.write(value.substring(from, text.length())).write("\"");
    }

    /** Null for a character that stands for itself. */
    private String escape(char c) {
        return switch (c) {
            case '"' -> "\\\"";
            case '\\' -> "\\\\";
            case '\n' -> "\\n";
            case '\r' -> "\\r";
            case '\t' -> "\\t";
            case '\b' -> "\\b";
            case '\f' -> "\\f";
            default -> c < ' ' || ascii && c > '~' ? String.format("\\u%04x", (int) c) : null;
        };
    }
}
