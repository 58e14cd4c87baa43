package io.hydra4j.text;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Reads a JSON file that nobody vouches for: objects become maps, arrays lists, whole numbers Long, other numbers
 * Double. Size, depth and length of strings are bounded; a key that occurs twice, and anything behind the value, are
 * errors.
 */
final class JsonTree {
    /** Bytes; the largest published tokenizer.json has some 33 million, and 3 million JSON tokens. */
    private static final long LARGEST_FILE = 64L << 20;

    // Keys are tokens: a table of names that is shared between files would only be filled up by them.
    private static final JsonFactory JSON = JsonFactory.builder()
            .disable(JsonFactory.Feature.CANONICALIZE_FIELD_NAMES)
            .disable(JsonFactory.Feature.INTERN_FIELD_NAMES)
            .streamReadConstraints(StreamReadConstraints.builder()
                    .maxNestingDepth(32)
                    .maxNameLength(TokenizerSpec.LONGEST_TOKEN)
                    .maxStringLength(1 << 16)
                    .maxNumberLength(64)
                    .maxTokenCount(6_000_000)
                    .build())
            .build();

    private JsonTree() {}

    /**
     * @return the object that the file holds
     * @throws TokenizerException if the file cannot be read, is too large, or is not one JSON object
     */
    static Fields read(Path file) {
        String name = file.toString();
        try {
            long size = Files.size(file);
            if (!Files.isRegularFile(file) || size > LARGEST_FILE) {
                throw new TokenizerException(
                        name, "file", size + " bytes", "a regular file of at most " + LARGEST_FILE + " bytes");
            }
        } catch (IOException e) {
            throw new TokenizerException(name, "file", String.valueOf(e), "a readable file", e);
        }
        try (InputStream bytes = Files.newInputStream(file);
                JsonParser parser = JSON.createParser(bytes)) {
            if (parser.nextToken() != JsonToken.START_OBJECT) {
                throw new TokenizerException(name, "file", "no object", "one JSON object");
            }
            Map<String, Object> root = object(parser, name);
            if (parser.nextToken() != null) {
                throw new TokenizerException(name, "file", "text behind the object", "one JSON object");
            }
            return new Fields(name, "", root);
        } catch (IOException e) {
            String reason = String.valueOf(e.getMessage()).lines().findFirst().orElse("nothing");
            throw new TokenizerException(name, "file", reason, "well-formed JSON", e);
        }
    }

    private static Map<String, Object> object(JsonParser parser, String file) throws IOException {
        Map<String, Object> object = new LinkedHashMap<>();
        while (parser.nextToken() != JsonToken.END_OBJECT) {
            String key = text(parser.currentName(), parser, file);
            parser.nextToken();
            if (object.containsKey(key)) {
                throw new TokenizerException(
                        file, where(parser), TokenizerSpec.quoted(key) + " twice", "each key once");
            }
            object.put(key, value(parser, file));
        }
        return object;
    }

    private static List<Object> array(JsonParser parser, String file) throws IOException {
        List<Object> array = new ArrayList<>();
        while (parser.nextToken() != JsonToken.END_ARRAY) {
            array.add(value(parser, file));
        }
        return array;
    }

    private static Object value(JsonParser parser, String file) throws IOException {
        return switch (parser.currentToken()) {
            case START_OBJECT -> object(parser, file);
            case START_ARRAY -> array(parser, file);
            case VALUE_STRING -> text(parser.getText(), parser, file);
            case VALUE_NUMBER_INT -> parser.getNumberType() == JsonParser.NumberType.BIG_INTEGER
                    ? (Object) parser.getDoubleValue()
                    : (Object) parser.getLongValue();
            case VALUE_NUMBER_FLOAT -> parser.getDoubleValue();
            case VALUE_TRUE -> true;
            case VALUE_FALSE -> false;
            default -> null;
        };
    }

    private static String text(String text, JsonParser parser, String file) {
        if (TokenizerSpec.isIllFormed(text)) {
            throw new TokenizerException(file, where(parser), "half a surrogate pair", "well-formed text");
        }
        return text;
    }

    private static String where(JsonParser parser) {
        String path = parser.getParsingContext().pathAsPointer().toString();
        return path.isEmpty() ? "file" : path.substring(1).replace('/', '.');
    }
}
