package io.hydra4j.cli;

import io.hydra4j.FormatException;
import io.hydra4j.format.StrictJson;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntPredicate;

/** Token ids as people write them: one JSON array a line. */
final class TokenIds {
    private TokenIds() {}

    /**
     * The ids of one line.
     *
     * @param line its number, from 1
     * @param ids at least one
     */
    record Line(int line, int[] ids) {
        /** What errors call it. */
        String field() {
            return "line " + line;
        }

        /** @throws FormatException.InvalidValue if an id is not one of those that are expected */
        void require(Path file, IntPredicate known, String expected) {
            for (int id : ids) {
                if (!known.test(id)) {
                    throw new FormatException.InvalidValue(file, field(), "id " + id, expected);
                }
            }
        }
    }

    /**
     * Reads all lines; empty ones are left out.
     *
     * @param file the file that errors name
     * @throws FormatException.InvalidJson if a line is no JSON; names the line
     * @throws FormatException.InvalidValue if a line is no array of token ids, one at least, or there is no line at all
     */
    static List<Line> parse(Path file, String text) {
        List<Line> all = new ArrayList<>();
        int number = 0;
        for (String line : text.lines().toList()) {
            number++;
            if (!line.isBlank()) {
                String field = "line " + number;
                all.add(new Line(number, ids(file, field, StrictJson.value(file, field, line))));
            }
        }
        if (all.isEmpty()) {
            throw new FormatException.InvalidValue(file, "lines", "none", "one JSON array of token ids a line");
        }
        return all;
    }

    /**
     * The ids of one array.
     *
     * @throws FormatException.InvalidValue if it is no array of token ids, one at least
     */
    static int[] ids(Path file, String field, Object value) {
        String expected = "an array of token ids, such as [1, 2]";
        if (!(value instanceof List<?> list)) {
            throw new FormatException.InvalidValue(file, field, describe(value), expected);
        }
        if (list.isEmpty()) {
            throw new FormatException.InvalidValue(file, field, "an empty array", expected);
        }
        int[] ids = new int[list.size()];
        for (int i = 0; i < ids.length; i++) {
            if (!(list.get(i) instanceof Long id) || id < 0 || id > Integer.MAX_VALUE) {
                throw new FormatException.InvalidValue(file, field, describe(list.get(i)) + " at index " + i, expected);
            }
            ids[i] = id.intValue();
        }
        return ids;
    }

    private static String describe(Object value) {
        return value instanceof String text ? '"' + text + '"' : String.valueOf(value);
    }
}
