package io.hydra4j.golden;

import io.hydra4j.format.StrictJson;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/** A value of a JSON document that tests trust. Asking for what is not there fails with a ClassCast- or NullPointerException. */
public final class Json {
    private final Object value;

    private Json(Object value) {
        this.value = value;
    }

    public static Json read(Path file) {
        try (InputStream bytes = TestData.open(file)) {
            return parse(new String(bytes.readAllBytes(), StandardCharsets.UTF_8));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    public static Json parse(String text) {
        return new Json(StrictJson.value(Path.of("test"), "JSON", text));
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
}
