package io.hydra4j.text.jinja;

import io.hydra4j.text.PromptText;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.function.IntPredicate;

/** The methods of texts, which are Python's. */
final class TextMethods {
    private TextMethods() {}

    /** Null where there is none. */
    static Callable of(PromptText text, String name) {
        return switch (name) {
            case "strip" -> (arguments, run) -> strip(text, arguments, true, true);
            case "lstrip" -> (arguments, run) -> strip(text, arguments, true, false);
            case "rstrip" -> (arguments, run) -> strip(text, arguments, false, true);
            case "split" -> (arguments, run) -> split(text, arguments, run.budget(), false);
            case "rsplit" -> (arguments, run) -> split(text, arguments, run.budget(), true);
            case "splitlines" -> (arguments, run) -> lines(text, arguments, run.budget());
            case "partition" -> (arguments, run) -> partition(text, arguments, run.budget(), false);
            case "rpartition" -> (arguments, run) -> partition(text, arguments, run.budget(), true);
            case "startswith" -> (arguments, run) -> has(text, arguments, true);
            case "endswith" -> (arguments, run) -> has(text, arguments, false);
            case "removeprefix" -> (arguments, run) -> {
                PromptText part = argument(arguments, name);
                return text.text().startsWith(part.text()) ? text.substring(part.length(), text.length()) : text;
            };
            case "removesuffix" -> (arguments, run) -> {
                PromptText part = argument(arguments, name);
                return text.text().endsWith(part.text()) ? text.substring(0, text.length() - part.length()) : text;
            };
            case "replace" -> (arguments, run) -> {
                Arguments.Bound bound = arguments.bind("replace()", "old", "new", "count");
                return replace(
                        text,
                        Values.text(bound.get(0), "replace()"),
                        Values.text(bound.get(1), "replace()"),
                        bound.integer(2, -1),
                        run.budget());
            };
            case "find", "index", "rfind", "rindex" -> (arguments, run) -> find(text, name, arguments, run.budget());
            case "count" -> (arguments, run) -> count(text, argument(arguments, name), run.budget());
            case "join" -> (arguments, run) -> join(text, arguments, run.budget());
            case "format" -> (arguments, run) -> BraceFormat.format(text, arguments, run.budget());
            case "zfill", "ljust", "rjust", "center" -> (arguments, run) -> pad(text, name, arguments, run.budget());
            default -> letters(text, name);
        };
    }

    private static Callable letters(PromptText text, String name) {
        Letters.Change change = Letters.change(name);
        if (change != null) {
            return (arguments, run) -> {
                arguments.bind(name + "()");
                return Letters.changed(text, change, run.budget());
            };
        }
        IntPredicate kind = Letters.kind(name);
        if (kind != null) {
            return (arguments, run) ->
                    !text.isEmpty() && text.text().codePoints().allMatch(kind);
        }
        return switch (name) {
            case "isupper" -> (arguments, run) -> Tests.isCase(text.text(), true);
            case "islower" -> (arguments, run) -> Tests.isCase(text.text(), false);
            default -> null;
        };
    }

    private static PromptText argument(Arguments arguments, String name) {
        return Values.text(arguments.bind(name + "()", "part").get(0), name + "()");
    }

    private static PromptText strip(PromptText text, Arguments arguments, boolean left, boolean right) {
        Object characters = arguments.bind("strip()", "chars").get(0, null);
        return strip(text, characters == null ? null : Values.text(characters, "strip()"), left, right);
    }

    /** @param characters that are taken off; null for white space */
    static PromptText strip(PromptText text, PromptText characters, boolean left, boolean right) {
        int from = 0;
        int to = text.length();
        while (left && from < to && isOff(text.text().codePointAt(from), characters)) {
            from += Character.charCount(text.text().codePointAt(from));
        }
        while (right && from < to && isOff(text.text().codePointBefore(to), characters)) {
            to -= Character.charCount(text.text().codePointBefore(to));
        }
        return text.substring(from, to);
    }

    private static boolean isOff(int c, PromptText characters) {
        return characters == null
                ? c < 0x10000 && Whitespace.is((char) c)
                : characters.text().indexOf(c) >= 0;
    }

    private static Object split(PromptText text, Arguments arguments, Budget budget, boolean fromEnd) {
        Arguments.Bound bound = arguments.bind("split()", "sep", "maxsplit");
        long most = bound.integer(1, -1);
        long times = most < 0 ? Long.MAX_VALUE : most;
        Object separator = bound.get(0, null);
        if (separator == null) {
            return fromEnd ? Words.splitFromEnd(text, times, budget) : Words.split(text, times, budget);
        }
        PromptText found = Values.text(separator, "split()");
        if (found.isEmpty()) {
            throw new Failure("split() needs a separator that is not empty");
        }
        return fromEnd ? splitFromEnd(text, found, times, budget) : split(text, found, times, budget);
    }

    static List<Object> split(PromptText text, PromptText separator, long times, Budget budget) {
        List<Object> parts = new ArrayList<>();
        int from = 0;
        int found = -1;
        while (parts.size() < times && (found = Search.indexOf(text, separator, from, budget)) >= 0) {
            budget.elements(1);
            parts.add(text.substring(from, found));
            from = found + separator.length();
        }
        parts.add(text.substring(from, text.length()));
        budget.characters(text.length());
        return parts;
    }

    private static List<Object> splitFromEnd(PromptText text, PromptText separator, long times, Budget budget) {
        List<Object> parts = new ArrayList<>();
        int to = text.length();
        int found = -1;
        while (parts.size() < times
                && (found = Search.lastIndexOf(text, separator, to - separator.length(), budget)) >= 0) {
            budget.elements(1);
            parts.add(text.substring(found + separator.length(), to));
            to = found;
        }
        parts.add(text.substring(0, to));
        budget.characters(text.length());
        Collections.reverse(parts);
        return parts;
    }

    private static List<Object> lines(PromptText text, Arguments arguments, Budget budget) {
        boolean keepsEnds = arguments.bind("splitlines()", "keepends").flag(0, false);
        List<Object> lines = new ArrayList<>();
        budget.characters(text.length());
        int from = 0;
        for (int at = 0; at < text.length(); at++) {
            char c = text.text().charAt(at);
            boolean isEnd = c >= '\n' && c <= '\r' || c >= 0x1C && c <= 0x1E || c == 0x85 || c == 0x2028 || c == 0x2029;
            if (isEnd) {
                int end = text.text().startsWith("\r\n", at) ? at + 2 : at + 1;
                budget.elements(1);
                lines.add(text.substring(from, keepsEnds ? end : at));
                from = end;
                at = end - 1;
            }
        }
        if (from < text.length()) {
            lines.add(text.substring(from, text.length()));
        }
        return lines;
    }

    private static Object partition(PromptText text, Arguments arguments, Budget budget, boolean fromEnd) {
        PromptText separator = argument(arguments, "partition");
        if (separator.isEmpty()) {
            throw new Failure("partition() needs a separator that is not empty");
        }
        int at = fromEnd
                ? Search.lastIndexOf(text, separator, text.length(), budget)
                : Search.indexOf(text, separator, 0, budget);
        if (at < 0) {
            return fromEnd
                    ? Tuple.of(PromptText.EMPTY, PromptText.EMPTY, text)
                    : Tuple.of(text, PromptText.EMPTY, PromptText.EMPTY);
        }
        return Tuple.of(text.substring(0, at), separator, text.substring(at + separator.length(), text.length()));
    }

    private static Object has(PromptText text, Arguments arguments, boolean atStart) {
        String name = atStart ? "startswith()" : "endswith()";
        Arguments.Bound bound = arguments.bind(name, "part", "start", "end");
        if (bound.has(1)) {
            throw new Failure(name + " takes one argument here");
        }
        List<?> parts = bound.get(0) instanceof Tuple several ? several : List.of(Values.text(bound.get(0), name));
        for (Object part : parts) {
            String each = Values.text(part, name).text();
            if (atStart ? text.text().startsWith(each) : text.text().endsWith(each)) {
                return true;
            }
        }
        return false;
    }

    static PromptText replace(PromptText text, PromptText old, PromptText replacement, long count, Budget budget) {
        long left = count < 0 ? Long.MAX_VALUE : count;
        TextWriter out = new TextWriter(budget);
        int from = 0;
        if (old.isEmpty()) {
            for (int at = 0; at <= text.length() && left > 0; left--) {
                out.write(text.substring(from, at)).write(replacement);
                from = at;
                at += at < text.length() ? Character.charCount(text.text().codePointAt(at)) : 1;
            }
            return out.write(text.substring(from, text.length())).text();
        }
        for (int at = Search.indexOf(text, old, 0, budget);
                at >= 0 && left > 0;
                at = Search.indexOf(text, old, from, budget)) {
            budget.step();
            out.write(text.substring(from, at)).write(replacement);
            from = at + old.length();
            left--;
        }
        return from == 0 ? text : out.write(text.substring(from, text.length())).text();
    }

    private static Object find(PromptText text, String name, Arguments arguments, Budget budget) {
        Arguments.Bound bound = arguments.bind(name + "()", "part", "start");
        PromptText part = Values.text(bound.get(0), name + "()");
        long start = bound.integer(1, 0);
        long length = Values.length(text);
        long counted = Math.max(0, Math.min(start < 0 ? start + length : start, length));
        int from = text.text().offsetByCodePoints(0, (int) counted);
        int at = name.startsWith("r")
                ? Search.lastIndexOf(text, part, text.length(), budget)
                : Search.indexOf(text, part, from, budget);
        if (at < from) {
            at = -1;
        }
        if (at < 0 && name.endsWith("index")) {
            throw new Failure(name + "(): the text has no such part");
        }
        return at < 0 ? -1L : (long) text.text().codePointCount(0, at);
    }

    static long count(PromptText text, PromptText part, Budget budget) {
        if (part.isEmpty()) {
            return Values.length(text) + 1;
        }
        long count = 0;
        for (int at = Search.indexOf(text, part, 0, budget);
                at >= 0;
                at = Search.indexOf(text, part, at + part.length(), budget)) {
            budget.step();
            count++;
        }
        return count;
    }

    private static Object join(PromptText separator, Arguments arguments, Budget budget) {
        TextWriter out = new TextWriter(budget);
        boolean isFirst = true;
        for (Object item : Values.elements(arguments.bind("join()", "iterable").get(0), budget)) {
            budget.step();
            out.write(isFirst ? PromptText.EMPTY : separator).write(Values.text(item, "join()"));
            isFirst = false;
        }
        return out.text();
    }

    private static Object pad(PromptText text, String name, Arguments arguments, Budget budget) {
        Arguments.Bound bound = arguments.bind(name + "()", "width", "fillchar");
        long missing = Math.max(0, bound.integer(0, 0) - Values.length(text));
        PromptText fill = Values.text(bound.get(1, PromptText.own(name.equals("zfill") ? "0" : " ")), name + "()");
        if (Values.length(fill) != 1) {
            throw new Failure(name + "() needs one character to fill up with");
        }
        TextWriter out = new TextWriter(budget);
        boolean isSigned = name.equals("zfill")
                && (text.text().startsWith("-") || text.text().startsWith("+"));
        long before =
                switch (name) {
                    case "ljust" -> 0;
                    case "center" -> missing / 2 + (missing & bound.integer(0, 0) & 1);
                    default -> missing;
                };
        return out.write(text.substring(0, isSigned ? 1 : 0))
                .repeat(fill, before)
                .write(text.substring(isSigned ? 1 : 0, text.length()))
                .repeat(fill, missing - before)
                .text();
    }
}
