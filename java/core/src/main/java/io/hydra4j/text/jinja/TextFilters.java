package io.hydra4j.text.jinja;

import io.hydra4j.text.PromptText;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;

/** Filters on texts. */
final class TextFilters {
    private static final String UNESCAPED = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-~/";

    private TextFilters() {}

    static void addTo(Map<String, Filters.Filter> all) {
        all.put("string", (value, arguments, run) -> PythonText.of(value, run.budget()));
        all.put("safe", (value, arguments, run) -> PythonText.of(value, run.budget()));
        all.put("trim", (value, arguments, run) -> {
            Object characters = arguments.bind("trim", "chars").get(0, null);
            return TextMethods.strip(
                    PythonText.of(value, run.budget()),
                    characters == null ? null : Values.text(characters, "trim"),
                    true,
                    true);
        });
        for (String name : new String[] {"upper", "lower", "capitalize"}) {
            Letters.Change change = Letters.change(name);
            all.put(name, (value, arguments, run) -> {
                arguments.bind(name);
                return Letters.changed(PythonText.of(value, run.budget()), change, run.budget());
            });
        }
        all.put("title", (value, arguments, run) -> title(PythonText.of(value, run.budget()), run.budget()));
        all.put("replace", TextFilters::replace);
        all.put(
                "format",
                (value, arguments, run) -> PercentFormat.format(
                        PythonText.of(value, run.budget()),
                        arguments.named().isEmpty() ? new Tuple(arguments.positional()) : named(arguments),
                        run.budget()));
        all.put("indent", TextFilters::indent);
        all.put("center", (value, arguments, run) -> {
            PromptText text = PythonText.of(value, run.budget());
            Object width = arguments.bind("center", "width").get(0, 80L);
            return TextMethods.of(text, "center").call(Arguments.of(width), run);
        });
        all.put("truncate", TextFilters::truncate);
        all.put(
                "wordcount",
                (value, arguments, run) ->
                        (long) Words.split(PythonText.of(value, run.budget()), Long.MAX_VALUE, run.budget())
                                .size());
        all.put("escape", (value, arguments, run) -> escape(PythonText.of(value, run.budget()), run.budget()));
        all.put("e", all.get("escape"));
        all.put("forceescape", all.get("escape"));
        all.put("urlencode", (value, arguments, run) -> url(PythonText.of(value, run.budget()), run.budget()));
    }

    private static Object named(Arguments arguments) {
        Map<Object, Object> map = new LinkedHashMap<>();
        arguments.named().forEach((name, value) -> map.put(PromptText.own(name), value));
        return map;
    }

    /** Words begin after white space and opening brackets and dashes, other than those of the method. */
    private static PromptText title(PromptText text, Budget budget) {
        TextWriter out = new TextWriter(budget);
        boolean starts = true;
        for (int at = 0; at < text.length(); at++) {
            budget.step();
            char c = text.text().charAt(at);
            String letter = String.valueOf(c);
            out.write(starts ? letter.toUpperCase(Locale.ROOT) : letter.toLowerCase(Locale.ROOT), text.isForeign(at));
            starts = Whitespace.is(c) || "-({[<".indexOf(c) >= 0;
        }
        return out.text();
    }

    private static Object replace(Object value, Arguments arguments, Run run) {
        Arguments.Bound bound = arguments.bind("replace", "old", "new", "count");
        Object count = bound.get(2, null);
        return TextMethods.replace(
                PythonText.of(value, run.budget()),
                PythonText.of(bound.get(0), run.budget()),
                PythonText.of(bound.get(1), run.budget()),
                count == null ? -1 : Values.integer(count, "replace"),
                run.budget());
    }

    private static Object indent(Object value, Arguments arguments, Run run) {
        Arguments.Bound bound = arguments.bind("indent", "width", "first", "blank");
        Object width = bound.get(0, 4L);
        PromptText space = width instanceof PromptText given
                ? given
                : new TextWriter(run.budget())
                        .repeat(PromptText.own(" "), Values.integer(width, "indent"))
                        .text();
        boolean blank = bound.flag(2, false);
        PromptText text = PythonText.of(value, run.budget());
        TextWriter out = new TextWriter(run.budget());
        boolean isFirst = true;
        for (int from = 0; from <= text.length(); ) {
            int end = text.text().indexOf('\n', from);
            end = end < 0 ? text.length() : end;
            boolean isIndented = isFirst ? bound.flag(1, false) : blank || end > from;
            run.budget().step();
            out.write(isIndented ? space : PromptText.EMPTY)
                    .write(text.substring(from, Math.min(end + 1, text.length())));
            isFirst = false;
            from = end + 1;
        }
        return out.text();
    }

    private static Object truncate(Object value, Arguments arguments, Run run) {
        Arguments.Bound bound = arguments.bind("truncate", "length", "killwords", "end", "leeway");
        PromptText text = PythonText.of(value, run.budget());
        PromptText end = Values.text(bound.get(2, PromptText.own("...")), "truncate");
        long most = bound.integer(0, 255);
        if (Values.length(text) <= most + bound.integer(3, 5)) {
            return text;
        }
        long kept = most - Values.length(end);
        if (kept < 0) {
            throw new Failure("truncate needs a length of at least that of the end");
        }
        PromptText cut = text.substring(0, text.text().offsetByCodePoints(0, (int) kept));
        int space = cut.text().lastIndexOf(' ');
        boolean cutsWords = bound.flag(1, false) || space < 0;
        return new TextWriter(run.budget())
                .write(cutsWords ? cut : cut.substring(0, space))
                .write(end)
                .text();
    }

    private static PromptText escape(PromptText text, Budget budget) {
        TextWriter out = new TextWriter(budget);
        int from = 0;
        for (int at = 0; at < text.length(); at++) {
            String escape =
                    switch (text.text().charAt(at)) {
                        case '&' -> "&amp;";
                        case '<' -> "&lt;";
                        case '>' -> "&gt;";
                        case '"' -> "&#34;";
                        case '\'' -> "&#39;";
                        default -> null;
                    };
            if (escape != null) {
                out.write(text.substring(from, at)).write(escape, text.isForeign(at));
                from = at + 1;
            }
        }
        return out.write(text.substring(from, text.length())).text();
    }

    private static PromptText url(PromptText text, Budget budget) {
        TextWriter out = new TextWriter(budget);
        for (int at = 0; at < text.length(); ) {
            budget.step();
            int end = text.text().offsetByCodePoints(at, 1);
            String c = text.text().substring(at, end);
            if (UNESCAPED.contains(c)) {
                out.write(c, text.isForeign(at));
            } else {
                for (byte each : c.getBytes(StandardCharsets.UTF_8)) {
                    out.write(String.format("%%%02X", each), text.isForeign(at));
                }
            }
            at = end;
        }
        return out.text();
    }
}
