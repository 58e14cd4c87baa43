package io.hydra4j.format;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import io.hydra4j.FormatException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Reads JSON as the specification has it: UTF-8, no comments, nothing after the value, no key twice, no half of a surrogate
 * pair. Objects become unmodifiable {@code Map<String, Object>} in the order of the file, arrays {@code List<Object>}, integers
 * Long (Double where they do not fit), other numbers Double, and null stays null. Thread-safe.
 */
public final class StrictJson {
    /** The longest document, in bytes, where no other limits are given. */
    public static final int MAX_BYTES = 8 << 20;
    /** The deepest nesting of arrays and objects. */
    public static final int MAX_DEPTH = 64;
    /** The most tokens (keys, values, brackets) of a document where no other limits are given. */
    public static final long MAX_TOKENS = 1_000_000;

    private static final Limits DEFAULT =
            new Limits(MAX_BYTES, MAX_TOKENS, StreamReadConstraints.DEFAULT_MAX_NAME_LEN, MAX_BYTES);

    /**
     * What bounds the memory that a document takes.
     *
     * @param bytes of the file
     * @param tokens keys, values and brackets
     * @param keyLength UTF-16 units of a key
     * @param textLength UTF-16 units of a text
     */
    public record Limits(int bytes, long tokens, int keyLength, int textLength) {}

    private final Path file;
    private final String part;
    /** Before the names of fields in errors; null where these name the part alone. */
    private final String prefix;

    private final JsonParser parser;

    private StrictJson(Path file, String part, String prefix, JsonParser parser) {
        this.file = file;
        this.part = part;
        this.prefix = prefix;
        this.parser = parser;
    }

    /** As {@link #read(Path, Limits)}, up to {@link #MAX_BYTES} and {@link #MAX_TOKENS}. */
    public static Fields read(Path file) {
        return read(file, DEFAULT);
    }

    /**
     * Reads a file that holds one JSON object.
     *
     * @throws FormatException.Unreadable if it cannot be read
     * @throws FormatException.TooLarge if it is longer than the limits have it
     * @throws FormatException.InvalidJson if it is no JSON object, or beyond the limits
     * @throws FormatException.DuplicateKey if a key occurs twice in an object
     */
    public static Fields read(Path file, Limits limits) {
        return object(file, "file", "", text(file, limits), limits);
    }

    /** As {@link #text(Path, Limits)}, up to {@link #MAX_BYTES}. */
    public static String text(Path file) {
        return text(file, DEFAULT);
    }

    /**
     * The text of a file, for {@link #value(Path, String, String, Limits)}.
     *
     * @throws FormatException.Unreadable if it cannot be read
     * @throws FormatException.TooLarge if it is longer than the limits have it
     * @throws FormatException.InvalidValue if it is no UTF-8
     */
    public static String text(Path file, Limits limits) {
        try (var source = Source.open(file)) {
            requireLength(file, source.size(), limits);
            int length = (int) source.size();
            return Utf8.decode(source.read(0, length, "file"), 0, length, file, "file");
        }
    }

    private static void requireLength(Path file, long length, Limits limits) {
        if (length > limits.bytes) {
            throw new FormatException.TooLarge(
                    file, "size", length + " bytes", "at most " + limits.bytes + " bytes of JSON");
        }
    }

    /**
     * Reads one JSON object from bytes, at most {@link #MAX_TOKENS} tokens.
     *
     * @param file the file that errors name
     * @param part the part of the file that errors name
     * @throws FormatException.InvalidJson if it is no JSON object
     * @throws FormatException.DuplicateKey if a key occurs twice in an object
     */
    public static Fields parse(Path file, String part, byte[] utf8) {
        return object(file, part, "", Utf8.decode(utf8, 0, utf8.length, file, part), DEFAULT);
    }

    /**
     * As {@link #parse}, of a file with an object a line: all errors name the line, those of its fields too.
     *
     * @param file the file that errors name
     * @param number of the line, from 1 on
     */
    public static Fields line(Path file, long number, byte[] utf8) {
        String part = "line " + number;
        return object(file, part, part + ": ", Utf8.decode(utf8, 0, utf8.length, file, part), DEFAULT);
    }

    @SuppressWarnings("unchecked") // an object becomes no other map
    private static Fields object(Path file, String part, String prefix, String text, Limits limits) {
        if (parse(file, part, prefix, text, limits) instanceof Map<?, ?> object) {
            return new Fields(file, prefix, (Map<String, Object>) object);
        }
        throw new FormatException.InvalidJson(file, part, "no object", "a JSON object", null);
    }

    /**
     * Reads one JSON value of any kind, at most {@link #MAX_TOKENS} tokens.
     *
     * @param file the file that errors name
     * @param part the part of the file that errors name, whatever is wrong inside it
     * @throws FormatException.InvalidJson if it is no JSON value, or beyond the limits
     * @throws FormatException.DuplicateKey if a key occurs twice in an object
     */
    public static Object value(Path file, String part, String text) {
        return parse(file, part, null, text, DEFAULT);
    }

    /**
     * As {@link #value(Path, String, String)}, with limits of one's own.
     *
     * @throws FormatException.TooLarge if the text is longer than they have it
     */
    public static Object value(Path file, String part, String text, Limits limits) {
        requireLength(file, text.length(), limits);
        return parse(file, part, null, text, limits);
    }

    private static Object parse(Path file, String part, String prefix, String text, Limits limits) {
        try (var parser = parser(text, limits)) {
            if (parser.nextToken() == null) {
                throw new FormatException.InvalidJson(file, part, "nothing", "JSON", null);
            }
            var value = new StrictJson(file, part, prefix, parser).value();
            if (parser.nextToken() != null) {
                throw new FormatException.InvalidJson(file, part, "text after the value", "one JSON value", null);
            }
            return value;
        } catch (IOException e) {
            var expected = "JSON of at most " + limits.tokens + " tokens, nested at most " + MAX_DEPTH + " levels";
            throw new FormatException.InvalidJson(file, part, problem(e), expected, e);
        }
    }

    private static JsonParser parser(String text, Limits limits) throws IOException {
        // Names are not put into tables shared between documents: hostile ones could fill those with colliding hashes.
        return JsonFactory.builder()
                .disable(JsonFactory.Feature.INTERN_FIELD_NAMES)
                .disable(JsonFactory.Feature.CANONICALIZE_FIELD_NAMES)
                .streamReadConstraints(StreamReadConstraints.builder()
                        .maxNestingDepth(MAX_DEPTH)
                        .maxNameLength(limits.keyLength)
                        .maxStringLength(limits.textLength)
                        .maxTokenCount(limits.tokens)
                        .build())
                .build()
                .createParser(text);
    }

    /** The parser's complaint, without where an array or object began that is not closed. */
    private static String problem(IOException e) {
        var problem = e.getMessage().lines().findFirst().orElse("an error");
        int place = problem.indexOf(" (start marker at");
        return place < 0 ? problem : problem.substring(0, place);
    }

    private Map<String, Object> object() throws IOException {
        var map = new LinkedHashMap<String, Object>();
        while (parser.nextToken() != JsonToken.END_OBJECT) {
            var key = text(parser.currentName());
            parser.nextToken();
            if (map.containsKey(key)) {
                throw new FormatException.DuplicateKey(file, where());
            }
            map.put(key, value());
        }
        return Collections.unmodifiableMap(map);
    }

    private List<Object> array() throws IOException {
        var list = new ArrayList<>();
        while (parser.nextToken() != JsonToken.END_ARRAY) {
            list.add(value());
        }
        return Collections.unmodifiableList(list);
    }

    private Object value() throws IOException {
        return switch (parser.currentToken()) {
            case START_OBJECT -> object();
            case START_ARRAY -> array();
            case VALUE_STRING -> text(parser.getText());
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

    private String text(String text) {
        if (!Utf8.isWellFormed(text)) {
            throw new FormatException.InvalidJson(file, where(), "half a surrogate pair", "well-formed text", null);
        }
        return text;
    }

    private String where() {
        var path = parser.getParsingContext().pathAsPointer().toString();
        return path.isEmpty() || prefix == null
                ? part
                : prefix + path.substring(1).replace('/', '.');
    }
}
