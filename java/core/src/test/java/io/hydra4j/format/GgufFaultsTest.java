package io.hydra4j.format;

import static io.hydra4j.format.Faults.assertFault;
import static io.hydra4j.format.GgufBytes.bytes;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import io.hydra4j.FormatException;
import io.hydra4j.FormatException.DuplicateKey;
import io.hydra4j.FormatException.InvalidValue;
import io.hydra4j.FormatException.Overlap;
import io.hydra4j.FormatException.TooLarge;
import io.hydra4j.FormatException.Truncated;
import io.hydra4j.FormatException.Unreadable;
import io.hydra4j.FormatException.UnsupportedType;
import io.hydra4j.FormatException.UnsupportedVersion;
import io.hydra4j.FormatException.WrongMagic;
import io.hydra4j.FormatException.WrongShape;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/** One defect each in a small valid file. */
class GgufFaultsTest {
    @TempDir
    private Path folder;

    private Path path;

    @BeforeEach
    void nameFile() {
        path = folder.resolve("model.gguf");
    }

    private static GgufBytes valid() {
        return new GgufBytes()
                .string("general.architecture", "llama")
                .u32("count", 2)
                .strings("tokens", "a", "b")
                .tensor("first", TensorType.F32, 8, 4)
                .tensor("second", TensorType.Q8_0, 32, 2);
    }

    @Test
    void everyCutOfTheFileIsTruncated() {
        var whole = valid().build();
        for (int length = 0; length < whole.length - 28; length++) { // 28: the padding after the last tensor
            var cut = GgufBytes.write(path, Arrays.copyOf(whole, length));
            assertFault(Truncated.class, path, "", "", () -> GgufFile.read(cut));
        }
    }

    @TestFactory
    Stream<DynamicTest> wholeFile() {
        return Stream.of(
                fault("no magic", WrongMagic.class, "magic", "0x47475558", file -> file.magic = "GGUX"),
                fault("a zip file", WrongMagic.class, "magic", "0x504b0304", file -> file.magic = "PK\3\4"),
                fault("version 0", UnsupportedVersion.class, "version", "0", file -> file.version = 0),
                fault("version 1", UnsupportedVersion.class, "version", "1", file -> file.version = 1),
                fault("version 4", UnsupportedVersion.class, "version", "4", file -> file.version = 4),
                fault(
                        "a big-endian file",
                        UnsupportedVersion.class,
                        "version",
                        "3, big-endian",
                        file -> file.version = 3 << 24),
                fault("2^64-1 tensors", TooLarge.class, "tensor count", "18446744073709551615", file -> {
                    file.statedTensors = -1L;
                }),
                fault("10^9 tensors", TooLarge.class, "tensor count", "1000000000", file -> {
                    file.statedTensors = 1_000_000_000L;
                }),
                fault("60,000 tensors in a short file", Truncated.class, "tensor count", "bytes", file -> {
                    file.statedTensors = 60_000L;
                }),
                fault("10^9 keys", TooLarge.class, "metadata count", "1000000000", file -> {
                    file.statedPairs = 1_000_000_000L;
                }),
                fault("60,000 keys in a short file", Truncated.class, "metadata count", "bytes", file -> {
                    file.statedPairs = 60_000L;
                }));
    }

    @TestFactory
    Stream<DynamicTest> metadata() {
        return Stream.of(
                fault("a key twice", DuplicateKey.class, "count", "twice", file -> file.again("count", bytes(4, 1))),
                fault("an empty key", InvalidValue.class, "metadata key 3", "\"\"", file -> file.u32("", 1)),
                fault("a NUL in a key", InvalidValue.class, "metadata key 3", "a\uFFFDb", file -> file.u32("a\0b", 1)),
                fault("value type 13", UnsupportedType.class, "x", "13", file -> file.raw("x", bytes(13, 0L))),
                fault("value type 2^32-1", UnsupportedType.class, "x", "4294967295", file -> {
                    file.raw("x", bytes(-1, 0L));
                }),
                fault("an array of arrays", UnsupportedType.class, "x", "arrays", file -> {
                    file.raw("x", bytes(9, 9, 1L, 4, 1L, 5));
                }),
                fault("an array of type 99", UnsupportedType.class, "x", "99", file -> {
                    file.raw("x", bytes(9, 99, 1L, 0L));
                }),
                fault("an array of 2^63 elements", TooLarge.class, "x", "9223372036854775808", file -> {
                    file.raw("x", bytes(9, 8, Long.MIN_VALUE));
                }),
                fault("an array of 10^9 elements", TooLarge.class, "x", "1000000000", file -> {
                    file.raw("x", bytes(9, 0, 1_000_000_000L));
                }),
                fault("an array longer than the file", Truncated.class, "x", "bytes", file -> {
                    file.raw("x", bytes(9, 8, 1_000_000L));
                }),
                fault("a text of 2^64-1 bytes", TooLarge.class, "x", "18446744073709551615", file -> {
                    file.raw("x", bytes(8, -1L));
                }),
                fault("a text longer than the file", Truncated.class, "x", "bytes", file -> {
                    file.raw("x", bytes(8, 1_000_000L));
                }),
                fault("a text that is no UTF-8", InvalidValue.class, "x", "UTF-8", file -> {
                    file.raw("x", bytes(8, 2L, new byte[] {(byte) 0xC3, 0x28}));
                }),
                fault("a truth value of 2", InvalidValue.class, "x", "2", file -> file.raw("x", bytes(7, (byte) 2))),
                fault("an unsigned number beyond 2^63", TooLarge.class, "x", "9223372036854775808", file -> {
                    file.raw("x", bytes(10, Long.MIN_VALUE));
                }));
    }

    @TestFactory
    Stream<DynamicTest> alignment() {
        return Stream.of(
                fault("0", InvalidValue.class, "general.alignment", "0", file -> file.u32("general.alignment", 0)),
                fault("1", InvalidValue.class, "general.alignment", "1", file -> file.u32("general.alignment", 1)),
                fault("24", InvalidValue.class, "general.alignment", "24", file -> file.u32("general.alignment", 24)),
                fault("2^31", InvalidValue.class, "general.alignment", "2147483648", file -> {
                    file.u32("general.alignment", 1L << 31);
                }),
                fault("a text", InvalidValue.class, "general.alignment", "\"32\"", file -> {
                    file.string("general.alignment", "32");
                }));
    }

    @TestFactory
    Stream<DynamicTest> tensors() {
        return Stream.of(
                tensorFault("a name twice", DuplicateKey.class, "first", "twice", info -> info.withName("first")),
                tensorFault("no name", InvalidValue.class, "tensor 1", "\"\"", info -> info.withName("")),
                tensorFault("a NUL in a name", InvalidValue.class, "tensor 1", "a\uFFFD", info -> info.withName("a\0")),
                tensorFault("no dimension", WrongShape.class, "second", "0 dim", info -> info.withDimensions()),
                tensorFault("five dimensions", WrongShape.class, "second", "5 dim", info -> {
                    return info.withDimensions(32, 1, 1, 1, 1);
                }),
                tensorFault("a dimension of 0", WrongShape.class, "second", "0", info -> info.withDimensions(32, 0)),
                tensorFault("a negative dimension", TooLarge.class, "second", "18446744073709551584", info -> {
                    return info.withDimensions(-32, 2);
                }),
                tensorFault("dimensions whose product overflows", TooLarge.class, "second", "more than", info -> {
                    return info.withDimensions(1L << 32, 1L << 32);
                }),
                tensorFault("rows that are no whole blocks", WrongShape.class, "second", "33", info -> {
                    return info.withDimensions(33, 2);
                }),
                tensorFault("type IQ4_XS", UnsupportedType.class, "second", "IQ4_XS (23)", info -> info.withType(23)),
                tensorFault("type MXFP4", UnsupportedType.class, "second", "MXFP4 (39)", info -> info.withType(39)),
                tensorFault("type Q2_K", UnsupportedType.class, "second", "Q2_K (10)", info -> info.withType(10)),
                tensorFault("type I32", UnsupportedType.class, "second", "I32 (26)", info -> info.withType(26)),
                tensorFault("type F64", UnsupportedType.class, "second", "F64 (28)", info -> info.withType(28)),
                tensorFault("type Q4_2, which is no more", UnsupportedType.class, "second", "4", info -> {
                    return info.withType(4);
                }),
                tensorFault("type 2^32-1", UnsupportedType.class, "second", "4294967295", info -> info.withType(-1)),
                tensorFault("more rows than the file has", Truncated.class, "second", "bytes", info -> {
                    return info.withDimensions(32, 1000);
                }),
                tensorFault("an offset that is not aligned", InvalidValue.class, "second", "129", info -> {
                    return info.withOffset(129);
                }),
                tensorFault("an offset after the end", Truncated.class, "second", "bytes", info -> {
                    return info.withOffset(1 << 20);
                }),
                tensorFault("a negative offset", TooLarge.class, "second", "18446744073709551584", info -> {
                    return info.withOffset(-32);
                }),
                tensorFault("bytes of the tensor before", Overlap.class, "second", "bytes from", info -> {
                    return info.withOffset(96);
                }),
                tensorFault("the same bytes as another", Overlap.class, "", "bytes from", info -> info.withOffset(0)));
    }

    @Test
    void thereMustBeARegularFile() {
        assertFault(Unreadable.class, path, "file", "no such file", () -> GgufFile.read(path));
        assertFault(Unreadable.class, folder, "file", "a folder", () -> GgufFile.read(folder));
    }

    @Test
    void hostileTextStaysOneShortLineInTheMessage() {
        var file = valid().u32("general.alignment", 1).string("x", "y").again("\n\u202E".repeat(3000), bytes(4, 1));
        var written = file.write(path);
        assertFault(InvalidValue.class, path, "metadata key", "\uFFFD\uFFFD", () -> GgufFile.read(written));
    }

    @Test
    void aHeaderOfManyMegabytesIsRefusedBeforeItsEnd() throws IOException {
        try (var file = new RandomAccessFile(path.toFile(), "rw")) {
            file.write(bytes(0x46554747, 3, 0L, 5L));
            for (int i = 0; i < 5; i++) {
                file.write(bytes("key" + i, 8, 15L << 20));
                file.seek(file.getFilePointer() + (15 << 20)); // the file has a hole there: zeros that take no room
            }
            file.setLength(file.getFilePointer());
        }
        assertFault(TooLarge.class, path, "header", "more than", () -> GgufFile.read(path));
    }

    private DynamicTest fault(
            String defect,
            Class<? extends FormatException> kind,
            String field,
            String found,
            Consumer<GgufBytes> change) {
        return dynamicTest(defect, () -> {
            var file = valid();
            change.accept(file);
            var written = file.write(path);
            assertFault(kind, path, field, found, () -> GgufFile.read(written));
        });
    }

    private DynamicTest tensorFault(
            String defect,
            Class<? extends FormatException> kind,
            String field,
            String found,
            UnaryOperator<GgufBytes.Info> change) {
        return fault(defect, kind, field, found, file -> file.change("second", change));
    }
}
