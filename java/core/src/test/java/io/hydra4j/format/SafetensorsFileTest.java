package io.hydra4j.format;

import static io.hydra4j.format.Faults.assertFault;
import static io.hydra4j.format.SafetensorsBytes.entry;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import io.hydra4j.FormatException;
import io.hydra4j.FormatException.DuplicateKey;
import io.hydra4j.FormatException.InvalidJson;
import io.hydra4j.FormatException.InvalidValue;
import io.hydra4j.FormatException.MissingField;
import io.hydra4j.FormatException.Overlap;
import io.hydra4j.FormatException.TooLarge;
import io.hydra4j.FormatException.Truncated;
import io.hydra4j.FormatException.UnsupportedType;
import io.hydra4j.FormatException.WrongMagic;
import io.hydra4j.FormatException.WrongShape;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

class SafetensorsFileTest {
    @TempDir
    private Path folder;

    private Path path;

    @BeforeEach
    void nameFile() {
        path = folder.resolve("model.safetensors");
    }

    private static SafetensorsBytes valid() {
        return new SafetensorsBytes().tensor("a", "F32", 2, 3).tensor("b", "BF16", 5);
    }

    @Test
    void tellsWhereEachTensorLies() {
        var bytes = valid().raw("\"__metadata__\":{\"format\":\"pt\"}");
        var whole = bytes.build();
        var tensors = SafetensorsFile.read(bytes.write(path)).tensors();
        assertEquals(List.of("a", "b"), List.copyOf(tensors.keySet()));
        assertEquals(new Tensor(path, "a", TensorType.F32, List.of(2L, 3L), whole.length - 34, 24), tensors.get("a"));
        assertEquals(new Tensor(path, "b", TensorType.BF16, List.of(5L), whole.length - 10, 10), tensors.get("b"));
    }

    @Test
    void aTensorOfAnotherTypeIsNoErrorUntilItIsAskedFor() {
        var file = SafetensorsFile.read(valid().tensor("ids", "I64", 7).write(path));
        var table = file.table();
        assertEquals(Map.of("ids", "I64"), file.otherTypes());
        assertEquals(2, table.tensors().size());
        assertFault(UnsupportedType.class, path, "ids", "I64", () -> table.require("ids"));
    }

    @Test
    void emptyAndScalarTensorsMayBeThere() {
        var file = SafetensorsFile.read(new SafetensorsBytes()
                .tensor("empty", "F32", 0, 4)
                .tensor("scalar", "F16")
                .write(path));
        assertEquals(0, file.tensors().get("empty").bytes());
        assertEquals(2, file.tensors().get("scalar").bytes());
        assertEquals(1, file.tensors().get("scalar").values());
    }

    @Test
    void everyCutOfTheFileIsTruncated() {
        var whole = valid().build();
        for (int length = 0; length < whole.length; length++) {
            GgufBytes.write(path, Arrays.copyOf(whole, length));
            assertFault(Truncated.class, path, "", "", () -> SafetensorsFile.read(path));
        }
    }

    @TestFactory
    Stream<DynamicTest> header() {
        return Stream.of(
                fault("a length of 2^64-1", TooLarge.class, "header length", "18446744073709551615", file -> {
                    file.statedLength = -1L;
                }),
                fault("a length of 10^9", TooLarge.class, "header length", "1000000000", file -> {
                    file.statedLength = 1_000_000_000L;
                }),
                fault("a length beyond the file", Truncated.class, "header", "bytes", file -> {
                    file.statedLength = 100_000L;
                }),
                fault("a length of 0", WrongMagic.class, "header", "nothing", file -> file.statedLength = 0L),
                headerFault("a space before the brace", WrongMagic.class, "header", "0x20", " {}"),
                headerFault("an array", WrongMagic.class, "header", "0x5b", "[]"),
                headerFault("broken JSON", InvalidJson.class, "header", "", "{\"a\":}"),
                headerFault("no end", InvalidJson.class, "header", "", "{\"a\":{"),
                headerFault("a second object", InvalidJson.class, "header", "after", "{}{}"),
                headerFault("NaN", InvalidJson.class, "header", "NaN", "{\"a\":NaN}"),
                headerFault("a comment", InvalidJson.class, "header", "", "{/* */}"),
                headerFault("deep nesting", InvalidJson.class, "header", "", "{\"a\":" + "[".repeat(100_000)),
                headerFault("a tensor that is a number", InvalidValue.class, "a", "5", "{\"a\":5}"),
                headerFault(
                        "metadata that is no text",
                        InvalidValue.class,
                        "__metadata__.k",
                        "1",
                        """
                        {"__metadata__":{"k":1}}"""),
                fault("a name twice", DuplicateKey.class, "a", "twice", file -> {
                    file.raw(entry("a", "F32", "[0]", 0, 0));
                }),
                fault("a NUL in a name", InvalidValue.class, "tensor name", "\uFFFD", file -> {
                    file.raw(entry("x\\u0000", "F32", "[0]", 0, 0));
                }));
    }

    @TestFactory
    Stream<DynamicTest> tensors() {
        return Stream.of(
                entryFault(
                        "no type",
                        MissingField.class,
                        "x.dtype",
                        "nothing",
                        """
                        "x":{"shape":[0],"data_offsets":[0,0]}"""),
                entryFault(
                        "no shape",
                        MissingField.class,
                        "x.shape",
                        "nothing",
                        """
                        "x":{"dtype":"F32","data_offsets":[0,0]}"""),
                entryFault(
                        "no offsets",
                        MissingField.class,
                        "x.data_offsets",
                        "nothing",
                        """
                        "x":{"dtype":"F32","shape":[0]}"""),
                entryFault(
                        "an unknown type", UnsupportedType.class, "x.dtype", "\"Q9\"", entry("x", "Q9", "[0]", 0, 0)),
                entryFault(
                        "a negative dimension", InvalidValue.class, "x.shape", "-1", entry("x", "F32", "[-1]", 0, 0)),
                entryFault(
                        "a dimension of 1.5", InvalidValue.class, "x.shape", "1.5", entry("x", "F32", "[1.5]", 0, 0)),
                entryFault(
                        "a dimension of 10^30",
                        TooLarge.class,
                        "x.shape",
                        "1.0E30",
                        """
                        "x":{"dtype":"F32","shape":[1000000000000000000000000000000],"data_offsets":[0,0]}"""),
                entryFault(
                        "nine dimensions",
                        InvalidValue.class,
                        "x.shape",
                        "an array",
                        """
                        "x":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,4]}"""),
                entryFault(
                        "dimensions whose product overflows",
                        TooLarge.class,
                        "x.shape",
                        "4294967296",
                        entry("x", "F32", "[4294967296,4294967296,4294967296]", 0, 0)),
                entryFault(
                        "three offsets",
                        InvalidValue.class,
                        "x.data_offsets",
                        "",
                        """
                        "x":{"dtype":"F32","shape":[0],"data_offsets":[0,0,0]}"""),
                entryFault(
                        "an end before the begin", InvalidValue.class, "x", "[8, 4]", entry("x", "F32", "[1]", 8, 4)),
                entryFault(
                        "an end of 10^18",
                        TooLarge.class,
                        "x",
                        "1000000000000000000",
                        """
                        "x":{"dtype":"F32","shape":[1],"data_offsets":[34,1000000000000000000]}"""),
                entryFault(
                        "a length that is not the shape's",
                        WrongShape.class,
                        "x",
                        "8 bytes",
                        entry("x", "F32", "[3]", 34, 42)),
                entryFault(
                        "bytes of another tensor",
                        Overlap.class,
                        "x",
                        "bytes from 22",
                        entry("x", "F32", "[1]", 22, 26)),
                entryFault(
                        "the same bytes as another tensor",
                        Overlap.class,
                        "",
                        "bytes from 0",
                        entry("x", "F32", "[6]", 0, 24)),
                entryFault("bytes after the end", Truncated.class, "x", "34 bytes", entry("x", "F32", "[1]", 34, 38)),
                fault("a gap before a tensor", InvalidValue.class, "x", "bytes from 38", file -> {
                    file.raw(entry("x", "F32", "[1]", 38, 42)).dataBytes(42);
                }),
                fault("bytes after the last tensor", InvalidValue.class, "size", "35 bytes", file -> {
                    file.dataBytes(35);
                }));
    }

    private DynamicTest fault(
            String defect,
            Class<? extends FormatException> kind,
            String field,
            String found,
            Consumer<SafetensorsBytes> change) {
        return dynamicTest(defect, () -> {
            var file = valid();
            change.accept(file);
            file.write(path);
            assertFault(kind, path, field, found, () -> SafetensorsFile.read(path));
        });
    }

    private DynamicTest entryFault(
            String defect, Class<? extends FormatException> kind, String field, String found, String entry) {
        return fault(defect, kind, field, found, file -> file.raw(entry));
    }

    private DynamicTest headerFault(
            String defect, Class<? extends FormatException> kind, String field, String found, String header) {
        return dynamicTest(defect, () -> {
            GgufBytes.write(path, new SafetensorsBytes().build(header));
            assertFault(kind, path, field, found, () -> SafetensorsFile.read(path));
        });
    }
}
