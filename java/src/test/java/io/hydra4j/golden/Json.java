package io.hydra4j.golden;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** A value of a JSON document that tests trust. Asking for what is not there fails with a ClassCast- or NullPointerException. */
public final class Json {
    private static final JsonFactory FACTORY = new JsonFactory();

    private final Object value;

    private Json(Object value) {
        this.value = value;
    }

    public static Json read(Path file) {
        try (InputStream bytes = TestData.open(file);
                JsonParser parser = FACTORY.createParser(bytes)) {
            parser.nextToken();
            return new Json(value(parser));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    public static Json parse(String text) {
        try (JsonParser parser = FACTORY.createParser(text)) {
            parser.nextToken();
            return new Json(value(parser));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    public boolean has(String name) {
        return ((Map<?, ?>) value).get(name) != null;
    }

    public Json get(String name) {
        return new Json(((Map<?, ?>) value).get(name));
    }

    public List<String> names() {
        return ((Map<?, ?>) value).keySet().stream().map(String.class::cast).toList();
    }

    public List<Json> list() {
        return ((List<?>) value).stream().map(Json::new).toList();
    }

    public Json at(int index) {
        return new Json(((List<?>) value).get(index));
    }

    public int[] ints() {
        return ((List<?>) value)
                .stream().mapToInt(it -> ((Number) it).intValue()).toArray();
    }

    public List<Integer> integers() {
        return ((List<?>) value).stream().map(it -> ((Number) it).intValue()).toList();
    }

    public double[] numbers() {
        return ((List<?>) value)
                .stream().mapToDouble(it -> ((Number) it).doubleValue()).toArray();
    }

    public int integer() {
        return ((Number) value).intValue();
    }

    public double number() {
        return ((Number) value).doubleValue();
    }

    public String text() {
        return (String) value;
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
            case VALUE_NUMBER_INT -> {
                return parser.getLongValue();
            }
            case VALUE_NUMBER_FLOAT -> {
                return parser.getDoubleValue();
            }
            case VALUE_STRING -> {
                return parser.getText();
            }
            case VALUE_TRUE -> {
                return true;
            }
            case VALUE_FALSE -> {
                return false;
            }
            default -> {
                return null;
            }
        }
    }
}
