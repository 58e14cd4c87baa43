package io.hydra4j.cli;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.core.json.JsonWriteFeature;
import io.hydra4j.format.FormatException;
import java.io.IOException;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Reads and writes the JSON of the command line: any value, strictly, objects as maps and arrays as lists. */
final class Json {
    private static final int MAX_DEPTH = 64;
    private static final JsonFactory FACTORY = JsonFactory.builder()
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .streamReadConstraints(
                    StreamReadConstraints.builder().maxNestingDepth(MAX_DEPTH).build())
            .build();

    private Json() {}

    /** Writes one value. */
    @FunctionalInterface
    interface Content {
        void write(JsonGenerator generator) throws IOException;
    }

    /**
     * One line of JSON without its line break.
     *
     * @param ascii whether other characters become escapes, as for a terminal that some of them could confuse
     */
    static String line(boolean ascii, Content content) {
        StringWriter line = new StringWriter();
        try (JsonGenerator generator = FACTORY.createGenerator(line)) {
            generator.configure(JsonWriteFeature.ESCAPE_NON_ASCII.mappedFeature(), ascii);
            content.write(generator);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return line.toString();
    }

    /**
     * Reads one value: Map, List, Long, Double, String, Boolean or null.
     *
     * @param file the file that errors name
     * @param field the part of it that errors name
     * @throws FormatException.InvalidJson if it is no JSON, nested too deeply, has a key twice or something behind it
     */
    static Object parse(Path file, String field, String text) {
        try (JsonParser parser = FACTORY.createParser(text)) {
            if (parser.nextToken() == null) {
                throw new FormatException.InvalidJson(file, field, "nothing", "JSON", null);
            }
            Object value = value(parser);
            if (parser.nextToken() != null) {
                throw new FormatException.InvalidJson(file, field, "text behind the value", "one JSON value", null);
            }
            return value;
        } catch (IOException e) {
            String problem = e.getMessage().lines().findFirst().orElse("an error");
            int place = problem.indexOf(" (start marker at");
            problem = place < 0 ? problem : problem.substring(0, place);
            throw new FormatException.InvalidJson(file, field, problem, "JSON", e);
        }
    }

    private static Object value(JsonParser parser) throws IOException {
        return switch (parser.currentToken()) {
            case START_OBJECT -> {
                Map<String, Object> map = new LinkedHashMap<>();
                while (parser.nextToken() != JsonToken.END_OBJECT) {
                    String key = parser.currentName();
                    parser.nextToken();
                    map.put(key, value(parser));
                }
                yield map;
            }
            case START_ARRAY -> {
                List<Object> list = new ArrayList<>();
                while (parser.nextToken() != JsonToken.END_ARRAY) {
                    list.add(value(parser));
                }
                yield list;
            }
            case VALUE_STRING -> parser.getText();
            case VALUE_NUMBER_INT -> {
                boolean fits = parser.getNumberType() != JsonParser.NumberType.BIG_INTEGER;
                yield fits ? (Object) parser.getLongValue() : (Object) parser.getDoubleValue();
            }
            case VALUE_NUMBER_FLOAT -> parser.getDoubleValue();
            case VALUE_TRUE -> true;
            case VALUE_FALSE -> false;
            default -> null;
        };
    }
}
