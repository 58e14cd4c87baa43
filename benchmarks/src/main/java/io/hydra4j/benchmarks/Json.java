package io.hydra4j.benchmarks;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.util.DefaultPrettyPrinter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.math.BigDecimal;
import java.math.MathContext;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;

/** Writes maps, iterables, numbers, strings and booleans as JSON; numbers with 5 digits, which is more than they are worth. */
final class Json {
    private static final MathContext DIGITS = new MathContext(5);

    private Json() {}

    /** Writes a file and the folders above it. */
    static void write(Path file, Map<String, ?> value) {
        try {
            Path folder = file.toAbsolutePath().getParent();
            Files.createDirectories(folder);
            try (Writer writer = Files.newBufferedWriter(file);
                    JsonGenerator json = new JsonFactory().createGenerator(writer)) {
                json.setPrettyPrinter(new DefaultPrettyPrinter());
                write(json, value);
                json.writeRaw('\n');
            }
        } catch (IOException e) {
            throw new UncheckedIOException("cannot write " + file + ": " + e, e);
        }
    }

    private static void write(JsonGenerator json, Object value) throws IOException {
        if (value instanceof Map<?, ?> map) {
            json.writeStartObject();
            for (Map.Entry<?, ?> entry : map.entrySet()) {
                json.writeFieldName(entry.getKey().toString());
                write(json, entry.getValue());
            }
            json.writeEndObject();
        } else if (value instanceof Iterable<?> list) {
            json.writeStartArray();
            for (Object element : list) {
                write(json, element);
            }
            json.writeEndArray();
        } else if (value instanceof Integer || value instanceof Long) {
            json.writeNumber(((Number) value).longValue());
        } else if (value instanceof Number number) {
            writeNumber(json, number.doubleValue());
        } else if (value instanceof Boolean flag) {
            json.writeBoolean(flag);
        } else if (value == null) {
            json.writeNull();
        } else {
            json.writeString(value.toString());
        }
    }

    private static void writeNumber(JsonGenerator json, double number) throws IOException {
        if (Double.isFinite(number)) {
            json.writeNumber(
                    new BigDecimal(number).round(DIGITS).stripTrailingZeros().toPlainString());
        } else {
            json.writeNull();
        }
    }
}
