package io.hydra4j.text.jinja;

import io.hydra4j.text.PromptText;

/** {@code "{} and {name:>5}".format(...)}. */
final class BraceFormat {
    private final PromptText format;
    private final Arguments arguments;
    private final Budget budget;
    private final TextWriter out;
    private int next;

    private BraceFormat(PromptText format, Arguments arguments, Budget budget) {
        this.format = format;
        this.arguments = arguments;
        this.budget = budget;
        out = new TextWriter(budget);
    }

    static PromptText format(PromptText format, Arguments arguments, Budget budget) {
        return new BraceFormat(format, arguments, budget).text();
    }

    private PromptText text() {
        String text = format.text();
        for (int at = 0; at < text.length(); ) {
            budget.step();
            int brace = brace(text, at);
            out.write(format.substring(at, brace));
            if (brace == text.length()) {
                break;
            }
            char c = text.charAt(brace);
            if (text.startsWith(c == '{' ? "{{" : "}}", brace)) {
                out.write(format.substring(brace, brace + 1));
                at = brace + 2;
                continue;
            }
            int end = text.indexOf('}', brace);
            if (c == '}' || end < 0) {
                throw new Failure("format(): a single '" + c + "'");
            }
            out.write(field(text.substring(brace + 1, end)));
            at = end + 1;
        }
        return out.text();
    }

    private static int brace(String text, int from) {
        int at = from;
        while (at < text.length() && text.charAt(at) != '{' && text.charAt(at) != '}') {
            at++;
        }
        return at;
    }

    private PromptText field(String field) {
        int colon = field.indexOf(':');
        String name = colon < 0 ? field : field.substring(0, colon);
        String specification = colon < 0 ? "" : field.substring(colon + 1);
        boolean isWritten = name.endsWith("!r");
        if (isWritten || name.endsWith("!s")) {
            name = name.substring(0, name.length() - 2);
        }
        Object value = value(name);
        return FieldFormat.format(isWritten ? PythonText.written(value, budget) : value, specification, budget);
    }

    private Object value(String name) {
        if (name.isEmpty() || name.chars().allMatch(c -> c >= '0' && c <= '9')) {
            int index = name.isEmpty() ? next++ : name.length() > 4 ? Integer.MAX_VALUE : Integer.parseInt(name);
            if (index >= arguments.positional().size()) {
                throw new Failure("format() has no argument " + index);
            }
            return arguments.positional().get(index);
        }
        if (!arguments.named().containsKey(name)) {
            throw new Failure("format() has no argument '" + name + "'");
        }
        return arguments.named().get(name);
    }
}
