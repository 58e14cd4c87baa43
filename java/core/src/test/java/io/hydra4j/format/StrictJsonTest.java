package io.hydra4j.format;

import static io.hydra4j.format.Faults.assertFault;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import io.hydra4j.FormatException.DuplicateKey;
import io.hydra4j.FormatException.InvalidJson;
import io.hydra4j.FormatException.InvalidValue;
import io.hydra4j.FormatException.MissingField;
import io.hydra4j.FormatException.TooLarge;
import io.hydra4j.FormatException.Unreadable;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class StrictJsonTest {
    private static final Path FILE = Path.of("config.json");

    @TempDir
    private Path folder;

    private static Fields parse(String json) {
        return StrictJson.parse(FILE, "JSON", json.getBytes(StandardCharsets.UTF_8));
    }

    @Test
    void readsEveryKindOfValue() {
        var fields = parse(
                """
                {"integer": -3, "number": 1.5, "whole": 20000, "text": "ü\\u00fc", "flag": true, "null": null,
                 "list": ["a", "b"], "ids": [1, 2], "object": {"inner": 7}}""");
        assertEquals(-3, fields.integer("integer", -5, 5));
        assertEquals(1.5f, fields.number("number", 0, 2));
        assertEquals(20000f, fields.number("whole", 0, 1e6f));
        assertEquals("üü", fields.string("text"));
        assertEquals(true, fields.flag("flag", false));
        assertFalse(fields.has("null"));
        assertEquals(List.of("a", "b"), List.of(fields.strings("list")));
        assertEquals(List.of(1, 2), fields.ids("ids", 3, 2));
        assertEquals(7, fields.object("object").integer("inner", 0, 10));
    }

    @Test
    void anIntegerBeyondLongIsANumberLikeAnyOther() {
        var fields = parse("{\"model_max_length\": 1000000000000000019884624838656}");
        assertEquals(1e30f, fields.number("model_max_length", 0, Float.MAX_VALUE));
        assertFault(
                InvalidValue.class, FILE, "model_max_length", "E30", () -> fields.integer("model_max_length", 0, 9));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "[]",
                "7",
                "{",
                "{\"a\":1",
                "{\"a\":1,}",
                "{'a':1}",
                "{a:1}",
                "{\"a\":01}",
                "{\"a\":+1}",
                "{\"a\":.5}",
                "{\"a\":NaN}",
                "{\"a\":Infinity}",
                "{} x",
                "{} {}",
                "{\"a\":\"\n\"}",
                "{\"a\":\"\\x\"}",
                "//\n{}",
                "{\"a\":tru}"
            })
    void whatIsNoJsonObjectIsRefused(String text) {
        assertFault(InvalidJson.class, FILE, "JSON", "", () -> parse(text));
    }

    @Test
    void bytesThatAreNoUtf8AreRefused() {
        var utf16 = "{\"a\":1}".getBytes(StandardCharsets.UTF_16LE);
        var latin1 = "{\"ü\":1}".getBytes(StandardCharsets.ISO_8859_1);
        assertFault(InvalidJson.class, FILE, "JSON", "", () -> StrictJson.parse(FILE, "JSON", utf16));
        assertFault(InvalidValue.class, FILE, "JSON", "UTF-8", () -> StrictJson.parse(FILE, "JSON", latin1));
    }

    @Test
    void aKeyTwiceIsAnErrorAtEveryDepth() {
        assertFault(DuplicateKey.class, FILE, "a", "twice", () -> parse("{\"a\":1,\"b\":2,\"a\":1}"));
        assertFault(DuplicateKey.class, FILE, "b", "twice", () -> parse("{\"a\":[{\"b\":null,\"b\":null}]}"));
    }

    @Test
    void halfASurrogatePairIsAnErrorThatNamesItsField() {
        assertFault(InvalidJson.class, FILE, "a.b", "surrogate", () -> parse("{\"a\":{\"b\":\"x\\ud800\"}}"));
        assertFault(InvalidJson.class, FILE, "a", "surrogate", () -> parse("{\"a\\udc00\\ud800\":1}"));
        assertEquals("\ud83d\ude00", parse("{\"a\":\"\\ud83d\\ude00\"}").string("a"));
    }

    @Test
    void aPartOfAFileMayHoldAnyValueAndIsNamedByEveryError() {
        assertEquals(List.of(1L, List.of(2.5)), StrictJson.value(FILE, "line 3", "[1, [2.5]]"));
        for (String text : List.of("", "[1] 2", "[1", "{\"a\": \"\\ud800\"}")) {
            assertFault(InvalidJson.class, FILE, "line 3", "", () -> StrictJson.value(FILE, "line 3", text));
        }
        assertFault(
                DuplicateKey.class,
                FILE,
                "line 3",
                "twice",
                () -> StrictJson.value(FILE, "line 3", "[{\"a\": 1, \"a\": 1}]"));
    }

    @Test
    void nestingAndCountsAreBounded() {
        assertFault(InvalidJson.class, FILE, "JSON", "", () -> parse("{\"a\":" + "[".repeat(5_000_000)));
        assertFault(InvalidJson.class, FILE, "JSON", "", () -> parse("{\"a\":" + "{\"a\":".repeat(1_000_000)));
        var many = "{\"a\":[" + "1,".repeat((int) StrictJson.MAX_TOKENS) + "1]}";
        assertFault(InvalidJson.class, FILE, "JSON", "", () -> parse(many));
        assertFault(InvalidJson.class, FILE, "JSON", "", () -> parse("{\"a\":" + "9".repeat(5000) + "}"));
    }

    @Test
    void keysWithEqualHashesAreNoSlower() {
        var json = new StringBuilder("{");
        for (int i = 0; i < 1 << 16; i++) {
            var key = new StringBuilder();
            for (int bit = 0; bit < 16; bit++) {
                key.append((i >> bit & 1) == 0 ? "Aa" : "BB");
            }
            json.append('"').append(key).append("\":1,");
        }
        var text = json.append("\"Aa\":1,\"Aa\":2}").toString();
        assertFault(DuplicateKey.class, FILE, "Aa", "twice", () -> parse(text));
    }

    @Test
    void aFileThatIsTooLongIsNotRead() throws IOException {
        var path = folder.resolve("config.json");
        try (var file = new RandomAccessFile(path.toFile(), "rw")) {
            file.setLength(1L << 40);
        }
        assertFault(TooLarge.class, path, "size", "1099511627776", () -> StrictJson.read(path));
    }

    @Test
    void aFileThatIsNotThereIsNamed() {
        var path = folder.resolve("config.json");
        assertFault(Unreadable.class, path, "file", "no such file", () -> StrictJson.read(path));
    }

    @Test
    void fieldsSayWhatTheyExpect() {
        var fields = parse("{\"n\":5,\"t\":\"x\",\"o\":{\"f\":1e999},\"ids\":[0,9]}");
        assertFault(MissingField.class, FILE, "absent", "nothing", () -> fields.integer("absent", 0, 1));
        assertFault(InvalidValue.class, FILE, "n", "5", () -> fields.integer("n", 6, 7));
        assertFault(InvalidValue.class, FILE, "n", "5", () -> fields.string("n"));
        assertFault(InvalidValue.class, FILE, "n", "5", () -> fields.flag("n", true));
        assertFault(InvalidValue.class, FILE, "t", "\"x\"", () -> fields.number("t", 0, 1));
        assertFault(InvalidValue.class, FILE, "t", "\"x\"", () -> fields.object("t"));
        assertFault(InvalidValue.class, FILE, "o", "an object", () -> fields.strings("o"));
        assertFault(InvalidValue.class, FILE, "o.f", "Infinity", () -> fields.object("o")
                .number("f", 0, Float.MAX_VALUE));
        assertFault(InvalidValue.class, FILE, "ids", "9", () -> fields.ids("ids", 9, 2));
        assertFault(InvalidValue.class, FILE, "ids", "more ids", () -> fields.ids("ids", 10, 1));
        assertFault(InvalidValue.class, FILE, "t", "\"x\"", () -> fields.ids("t", 9, 2));
    }
}
