package io.hydra4j.text.jinja;

import io.hydra4j.text.PromptText;
import java.time.LocalDateTime;
import java.time.format.DateTimeFormatter;
import java.util.Locale;
import java.util.Map;

/** Dates in the words of C's strftime, in English. */
final class Dates {
    private static final Map<Character, String> PATTERNS = Map.ofEntries(
            Map.entry('Y', "uuuu"),
            Map.entry('y', "uu"),
            Map.entry('m', "MM"),
            Map.entry('d', "dd"),
            Map.entry('B', "MMMM"),
            Map.entry('b', "MMM"),
            Map.entry('h', "MMM"),
            Map.entry('A', "EEEE"),
            Map.entry('a', "EEE"),
            Map.entry('H', "HH"),
            Map.entry('I', "hh"),
            Map.entry('M', "mm"),
            Map.entry('S', "ss"),
            Map.entry('f', "SSSSSS"),
            Map.entry('p', "a"),
            Map.entry('j', "DDD"),
            Map.entry('F', "uuuu-MM-dd"),
            Map.entry('T', "HH:mm:ss"),
            Map.entry('R', "HH:mm"),
            Map.entry('D', "MM/dd/uu"),
            Map.entry('x', "MM/dd/uu"),
            Map.entry('X', "HH:mm:ss"));

    private Dates() {}

    static PromptText format(PromptText format, LocalDateTime time, Budget budget) {
        TextWriter out = new TextWriter(budget);
        String text = format.text();
        for (int at = 0; at < text.length(); at++) {
            if (text.charAt(at) != '%' || at + 1 == text.length()) {
                out.write(format.substring(at, at + 1));
            } else {
                budget.step();
                at++;
                boolean isUnpadded = text.charAt(at) == '-' && at + 1 < text.length();
                out.write(field(text.charAt(isUnpadded ? ++at : at), isUnpadded, time));
            }
        }
        return out.text();
    }

    private static String field(char field, boolean isUnpadded, LocalDateTime time) {
        switch (field) {
            case '%':
                return "%";
            case 'n':
                return "\n";
            case 't':
                return "\t";
            case 'e':
                return String.format("%2d", time.getDayOfMonth());
            case 'Z', 'z':
                return "";
            default:
                String pattern = PATTERNS.get(field);
                if (pattern == null) {
                    throw new Failure("strftime_now() does not know '%" + field + "'");
                }
                String value =
                        DateTimeFormatter.ofPattern(pattern, Locale.ENGLISH).format(time);
                return isUnpadded ? value.replaceFirst("^0+(?=.)", "") : value;
        }
    }
}
