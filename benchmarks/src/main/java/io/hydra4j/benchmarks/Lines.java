package io.hydra4j.benchmarks;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import io.hydra4j.HydraException;
import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.tukaani.xz.XZInputStream;

/** Reads JSON values that follow one another in a file, packed with xz or not. */
final class Lines {
    private Lines() {}

    /** All values of a file, one a line as a rule. */
    static List<Object> read(Path file) {
        try (InputStream in = Files.newInputStream(file)) {
            return read(file.toString().endsWith(".xz") ? new XZInputStream(new BufferedInputStream(in)) : in);
        } catch (IOException e) {
            throw new HydraException("cannot read " + file + ": " + e, e);
        }
    }

    /** All values of a stream. */
    static List<Object> read(InputStream in) throws IOException {
        List<Object> values = new ArrayList<>();
        try (JsonParser parser = new JsonFactory().createParser(in)) {
            while (parser.nextToken() != null) {
                values.add(value(parser));
            }
        }
        return values;
    }

    /** A tree's paths: a file with one list of lists of whole numbers. */
    static List<List<Integer>> paths(Path file) {
        List<List<Integer>> paths = new ArrayList<>();
        for (Object value : read(file)) {
            for (Object path : list(value)) {
                paths.add(list(path).stream().map(Lines::whole).toList());
            }
        }
        return paths;
    }

    static List<?> list(Object value) {
        if (value instanceof List<?> list) {
            return list;
        }
        throw new HydraException("found " + value + " where a list was expected");
    }

    static int whole(Object value) {
        if (value instanceof Integer number) {
            return number;
        }
        throw new HydraException("found " + value + " where a whole number was expected");
    }

    private static Object value(JsonParser parser) throws IOException {
        switch (parser.currentToken()) {
            case START_ARRAY -> {
                List<Object> list = new ArrayList<>();
                while (parser.nextToken() != JsonToken.END_ARRAY) {
                    list.add(value(parser));
                }
                return list;
            }
            case START_OBJECT -> {
                Map<String, Object> map = new LinkedHashMap<>();
                while (parser.nextToken() != JsonToken.END_OBJECT) {
                    String name = parser.currentName();
                    parser.nextToken();
                    map.put(name, value(parser));
                }
                return map;
            }
            case VALUE_NUMBER_INT, VALUE_NUMBER_FLOAT -> {
                return parser.getNumberValue();
            }
            default -> {
                return parser.getText();
            }
        }
    }
}
