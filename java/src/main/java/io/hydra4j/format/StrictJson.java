package io.hydra4j.format;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Reads JSON as the specification has it: UTF-8, no comments, nothing behind the value, no key twice. Objects become
 * unmodifiable {@code Map<String, Object>} in the order of the file, arrays {@code List<Object>}, integers Long (Double where
 * they do not fit), other numbers Double, and null stays null. Thread-safe.
 */
public final class StrictJson {
    /** The longest document, in bytes. */
    public static final int MAX_BYTES = 8 << 20;
    /** The deepest nesting of arrays and objects. */
    public static final int MAX_DEPTH = 64;
    /** The most tokens (keys, values, brackets) of a document, which bounds the memory that it takes. */
    public static final long MAX_TOKENS = 1_000_000;

    private static final String EXPECTED =
            "JSON of at most " + MAX_TOKENS + " tokens, nested at most " + MAX_DEPTH + " levels";

    // Names are not put into tables shared between documents: hostile ones could fill those with colliding hashes.
    private static final JsonFactory FACTORY = JsonFactory.builder()
            .disable(JsonFactory.Feature.INTERN_FIELD_NAMES)
            .disable(JsonFactory.Feature.CANONICALIZE_FIELD_NAMES)
            .streamReadConstraints(StreamReadConstraints.builder()
                    .maxNestingDepth(MAX_DEPTH)
                    .maxStringLength(MAX_BYTES)
                    .maxTokenCount(MAX_TOKENS)
                    .build())
            .build();

    private StrictJson() {}

    /**
     * Reads a file that holds one JSON object.
     *
     * @throws FormatException.Unreadable if it cannot be read
     * @throws FormatException.TooLarge if it is longer than {@link #MAX_BYTES}
     * @throws FormatException.InvalidJson if it is no JSON object
     * @throws FormatException.DuplicateKey if a key occurs twice in an object
     */
    public static Fields read(Path file) {
        try (var source = Source.open(file)) {
            if (source.size() > MAX_BYTES) {
                throw new FormatException.TooLarge(
                        file, "size", source.size() + " bytes", "at most " + MAX_BYTES + " bytes of JSON");
            }
            return parse(file, "JSON", source.read(0, (int) source.size(), "JSON"));
        }
    }

    /**
     * Reads one JSON object from bytes.
     *
     * @param file the file that errors name
     * @param field the part of the file that errors name
     * @throws FormatException.InvalidJson if it is no JSON object
     * @throws FormatException.DuplicateKey if a key occurs twice in an object
     */
    public static Fields parse(Path file, String field, byte[] utf8) {
        var text = Utf8.decode(utf8, 0, utf8.length, file, field);
        try (var parser = FACTORY.createParser(text)) {
            if (parser.nextToken() != JsonToken.START_OBJECT) {
                throw new FormatException.InvalidJson(file, field, "no object", "a JSON object", null);
            }
            var fields = new Fields(file, object(file, parser));
            if (parser.nextToken() != null) {
                throw new FormatException.InvalidJson(file, field, "text behind the object", "one JSON object", null);
            }
            return fields;
        } catch (IOException e) {
            throw new FormatException.InvalidJson(file, field, firstLine(e.getMessage()), EXPECTED, e);
        }
    }

    private static String firstLine(String message) {
        return message.lines().findFirst().orElse("an error");
    }

    private static Map<String, Object> object(Path file, JsonParser parser) throws IOException {
        var map = new LinkedHashMap<String, Object>();
        while (parser.nextToken() != JsonToken.END_OBJECT) {
            var key = parser.currentName();
            parser.nextToken();
            if (map.containsKey(key)) {
                throw new FormatException.DuplicateKey(file, key);
            }
            map.put(key, value(file, parser));
        }
        return Collections.unmodifiableMap(map);
    }

    private static List<Object> array(Path file, JsonParser parser) throws IOException {
        var list = new ArrayList<>();
        while (parser.nextToken() != JsonToken.END_ARRAY) {
            list.add(value(file, parser));
        }
        return Collections.unmodifiableList(list);
    }

    private static Object value(Path file, JsonParser parser) throws IOException {
        return switch (parser.currentToken()) {
            case START_OBJECT -> object(file, parser);
            case START_ARRAY -> array(file, parser);
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
