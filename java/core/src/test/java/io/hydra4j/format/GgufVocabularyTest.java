package io.hydra4j.format;

import static io.hydra4j.format.Faults.assertFault;
import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import io.hydra4j.FormatException.InvalidValue;
import io.hydra4j.FormatException.MissingField;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

class GgufVocabularyTest {
    private static final Path FILE = Path.of("model.gguf");
    private static final String PREFIX = "tokenizer.ggml.";

    /** A SentencePiece vocabulary of an unknown token, a letter and the 256 bytes. */
    private static Map<String, Object> valid() {
        var tokens = new String[258];
        var types = new long[258];
        tokens[0] = "<unk>";
        tokens[1] = "a";
        types[0] = 2;
        types[1] = 1;
        for (int i = 0; i < 256; i++) {
            tokens[2 + i] = String.format("<0x%02X>", i);
            types[2 + i] = 6;
        }
        var metadata = new HashMap<String, Object>();
        metadata.put(PREFIX + "model", "llama");
        metadata.put(PREFIX + "tokens", tokens);
        metadata.put(PREFIX + "token_type", types);
        metadata.put(PREFIX + "scores", new double[258]);
        metadata.put(PREFIX + "merges", new String[] {"a b", "  x"});
        metadata.put(PREFIX + "unknown_token_id", 0L);
        return metadata;
    }

    @Test
    void aWholeVocabularyAndNoneAreFine() {
        assertDoesNotThrow(() -> GgufVocabulary.check(new Fields(FILE, valid()), 258));
        assertDoesNotThrow(() -> GgufVocabulary.check(new Fields(FILE, Map.of()), 5));
    }

    @TestFactory
    Stream<DynamicTest> tablesThatDoNotFit() {
        return Stream.of(
                fault("too few tokens", "tokens", "1 entries", map -> map.put(PREFIX + "tokens", new String[] {"a"})),
                fault("no tokens", "tokens", "0 entries", map -> map.put(PREFIX + "tokens", new String[0])),
                fault(
                        "tokens that are numbers",
                        "tokens",
                        "an array",
                        map -> map.put(PREFIX + "tokens", new long[258])),
                fault("too many scores", "scores", "259 entries", map -> map.put(PREFIX + "scores", new double[259])),
                fault("too many kinds", "token_type", "259", map -> map.put(PREFIX + "token_type", new long[259])));
    }

    @TestFactory
    Stream<DynamicTest> entriesThatMakeNoSense() {
        return Stream.of(
                fault("a token twice", "tokens[1]", "<unk>", map -> tokens(map)[1] = "<unk>"),
                fault("an empty token", "tokens[1]", "empty", map -> tokens(map)[1] = ""),
                fault("a token with a NUL", "tokens[1]", "NUL", map -> tokens(map)[1] = "a\0"),
                fault("a byte token missing", "tokens", "255 byte tokens", map -> tokens(map)[9] = "x"),
                fault("kind 0", "token_type[1]", "0", map -> ((long[]) map.get(PREFIX + "token_type"))[1] = 0),
                fault("kind 7", "token_type[1]", "7", map -> ((long[]) map.get(PREFIX + "token_type"))[1] = 7),
                fault("a score that is NaN", "scores[1]", "NaN", map -> {
                    ((double[]) map.get(PREFIX + "scores"))[1] = Double.NaN;
                }),
                fault("a merge of one", "merges[0]", "\"ab\"", map -> {
                    map.put(PREFIX + "merges", new String[] {"ab"});
                }),
                fault("a merge with nothing", "merges[0]", "\"a \"", map -> {
                    map.put(PREFIX + "merges", new String[] {"a "});
                }),
                fault("an id out of range", "mask_token_id", "258", map -> map.put(PREFIX + "mask_token_id", 258L)),
                fault("a negative id", "bos_token_id", "-1", map -> map.put(PREFIX + "bos_token_id", -1L)));
    }

    @Test
    void withoutByteTokensThereMustBeAnUnknownToken() {
        var metadata = valid();
        metadata.keySet().removeIf(key -> !key.endsWith("model"));
        metadata.put(PREFIX + "tokens", new String[] {"a", "b"});
        var fields = new Fields(FILE, metadata);
        assertFault(MissingField.class, FILE, "unknown_token_id", "nothing", () -> GgufVocabulary.check(fields, 2));
    }

    private static String[] tokens(Map<String, Object> metadata) {
        return (String[]) metadata.get(PREFIX + "tokens");
    }

    private static DynamicTest fault(String defect, String field, String found, Consumer<Map<String, Object>> change) {
        return dynamicTest(defect, () -> {
            var metadata = valid();
            change.accept(metadata);
            var fields = new Fields(FILE, metadata);
            assertFault(InvalidValue.class, FILE, PREFIX + field, found, () -> GgufVocabulary.check(fields, 258));
        });
    }
}
