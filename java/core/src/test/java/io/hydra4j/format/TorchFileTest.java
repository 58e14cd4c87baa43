package io.hydra4j.format;

import static io.hydra4j.format.Faults.assertFault;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import io.hydra4j.FormatException;
import io.hydra4j.FormatException.DuplicateKey;
import io.hydra4j.FormatException.InvalidValue;
import io.hydra4j.FormatException.MissingField;
import io.hydra4j.FormatException.Overlap;
import io.hydra4j.FormatException.TooLarge;
import io.hydra4j.FormatException.Truncated;
import io.hydra4j.FormatException.UnsupportedType;
import io.hydra4j.FormatException.UnsupportedVersion;
import io.hydra4j.FormatException.WrongMagic;
import io.hydra4j.FormatException.WrongShape;
import io.hydra4j.golden.TestData;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TorchFileTest {
    private static final String PICKLE = "archive/data.pkl";

    /** The opcodes of checkpoints; all others are refused. */
    private static final List<Integer> KNOWN = Stream.concat(
                    ".NJKMX(t)}suqrhjcQRb".chars().boxed(),
                    Stream.of(0x80, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x8C, 0x93, 0x94, 0x95))
            .toList();

    @TempDir
    private Path folder;

    private Path file;

    @BeforeEach
    void nameTheFile() {
        file = folder.resolve("heads.pt");
    }

    private static TorchBytes good() {
        return new TorchBytes().tensor("a.weight", "BFloat16Storage", 4, 6).tensor("a.bias", "FloatStorage", 4);
    }

    @Test
    void findsEveryTensorWhereItsBytesLie() throws IOException {
        good().tensor("c", "HalfStorage", 0, 3).write(file);
        var table = TorchFile.read(file);
        assertEquals(
                List.of("a.weight", "a.bias", "c"), List.copyOf(table.tensors().keySet()));
        var weight = table.require("a.weight", 4, 6);
        assertEquals(TensorType.BF16, weight.type());
        assertEquals(48, weight.bytes());
        assertEquals(TensorType.F32, table.requireVector("a.bias", 4).type());
        assertEquals(0, table.require("c", 0, 3).bytes());
        byte[] bytes = Files.readAllBytes(file);
        Arrays.fill(bytes, (int) weight.offset(), (int) (weight.offset() + weight.bytes()), (byte) 7);
        // The mark of a zip entry follows at once, and the values were all that is between.
        assertEquals('P', bytes[(int) (weight.offset() + weight.bytes())]);
        assertNotEquals(0, bytes[(int) weight.offset() - 1]);
    }

    @Test
    void namesThatShareAStorageLieAtOnePlace() {
        long[] shape = {2, 6};
        good().tensor("b", "BFloat16Storage", 4, 6)
                .alias("same", "BFloat16Storage", 24, 0, new long[] {4, 6}, TorchBytes.contiguous(4, 6))
                .alias("rows", "BFloat16Storage", 24, 12, shape, TorchBytes.contiguous(shape))
                .write(file);
        var table = TorchFile.read(file);
        assertEquals(table.require("b").unnamed(), table.require("same").unnamed());
        assertEquals(
                table.require("b").offset() + 24, table.require("rows", 2, 6).offset());
        assertNotEquals(table.require("b").unnamed(), table.require("rows").unnamed());
    }

    @Test
    void tensorsOfOtherTypesMatterOnlyWhenAskedFor() {
        good().tensor("steps", "LongStorage", 1).write(file);
        var table = TorchFile.read(file);
        assertTrue(table.has("steps"));
        assertFault(UnsupportedType.class, file, "steps", "LongStorage", () -> table.require("steps"));
    }

    @Test
    void parametersAndTheOpcodesOfProtocolFourAreRead() {
        // A frame; a name of the short form, memoised; a global of two texts, called with a tensor that is made of it
        // anew.
        Object[] parameter = {
            0x95,
            "\11\0\0\0\0\0\0\0",
            0x8C,
            "\1p",
            0x94,
            0x8C,
            "\14torch._utils",
            0x8C,
            "\22_rebuild_parameter",
            0x93,
            "(",
            "ctorch._utils\n_rebuild_tensor_v2\n((X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0",
            "1X\3\0\0\0cpuK\4tQ",
            "K\0K\4",
            0x85,
            "K\1",
            0x85,
            0x89,
            "}tR",
            0x88,
            "}tR"
        };
        GgufBytes.write(file, good().raw(raw(parameter)).build());
        var table = TorchFile.read(file);
        assertEquals(List.of(4L), table.require("p").shape());
        assertEquals(table.require("a.bias").unnamed(), table.require("p").unnamed());
    }

    @Test
    void aPickleOfEndlessValuesIsRefusedBeforeItTakesTheMemory() {
        byte[] endless = new byte[TorchPickle.MAX_BYTES - 2];
        Arrays.fill(endless, (byte) '}');
        endless[0] = (byte) 0x80;
        endless[1] = 2;
        GgufBytes.write(file, good().build(endless));
        assertFault(TooLarge.class, file, PICKLE, "more opcodes", () -> TorchFile.read(file));
    }

    @ParameterizedTest
    @CsvSource({"hydra, hydra", "hydra-plus-plus, hydra", "hydra-ungrounded, hydra", "medusa, medusa"})
    void publishedCheckpointsHaveTheTensorsOfTheirSafetensors(String heads, String name) throws IOException {
        var published = TestData.shared("golden/hydra-original/" + heads);
        var expected = SafetensorsFile.read(published.resolve(name + "_lm_head.safetensors"));
        var table = TorchFile.read(published.resolve(name + "_lm_head.pt"));
        assertEquals(expected.tensors().keySet(), table.tensors().keySet());
        byte[] ours = Files.readAllBytes(published.resolve(name + "_lm_head.pt"));
        byte[] theirs = Files.readAllBytes(expected.path());
        expected.tensors().forEach((key, tensor) -> {
            var found = table.require(key);
            assertEquals(tensor.type(), found.type(), key);
            assertEquals(tensor.shape(), found.shape(), key);
            assertArrayEquals(slice(theirs, tensor), slice(ours, found), key);
        });
    }

    private static byte[] slice(byte[] file, Tensor tensor) {
        return Arrays.copyOfRange(file, (int) tensor.offset(), (int) (tensor.offset() + tensor.bytes()));
    }

    @TestFactory
    Stream<DynamicTest> everyOpcodeThatATensorDoesNotNeedIsRefused() {
        return IntStream.range(0, 256)
                .filter(opcode -> !KNOWN.contains(opcode))
                .mapToObj(opcode -> dynamicTest(String.format("0x%02X", opcode), () -> {
                    GgufBytes.write(file, good().raw(new byte[] {(byte) opcode}).build());
                    var found = String.format("opcode 0x%02X", opcode);
                    assertFault(UnsupportedType.class, file, PICKLE + " at byte", found, () -> TorchFile.read(file));
                }));
    }

    @TestFactory
    Stream<DynamicTest> everyGlobalThatATensorDoesNotNeedIsRefused() {
        return Stream.of(
                        "posix system",
                        "os system",
                        "nt system",
                        "builtins eval",
                        "builtins exec",
                        "builtins getattr",
                        "builtins __import__",
                        "subprocess Popen",
                        "runpy _run_code",
                        "webbrowser open",
                        "torch load",
                        "torch Tensor",
                        "torch.storage _load_from_bytes",
                        "torch.jit load",
                        "torch._utils _rebuild_sparse_tensor",
                        "torch._utils _rebuild_qtensor",
                        "torch ComplexFloatStorage",
                        "numpy.core.multiarray _reconstruct",
                        "collections defaultdict",
                        "collections OrderedDict.update",
                        "copyreg _reconstructor",
                        " ",
                        "\u0000 \u0000")
                .map(global -> dynamicTest("global " + global, () -> {
                    var opcode = "c" + global.replace(' ', '\n') + "\n";
                    GgufBytes.write(
                            file,
                            good().raw(opcode.getBytes(StandardCharsets.UTF_8)).build());
                    assertFault(
                            UnsupportedType.class,
                            file,
                            PICKLE + " at byte",
                            global.isBlank() ? "the global" : global.split(" ")[0].trim(),
                            () -> TorchFile.read(file));
                }));
    }

    /** Opcodes after two good tensors, and what they are refused as. */
    private DynamicTest refused(
            String what, Class<? extends FormatException> kind, String field, String found, Object... opcodes) {
        return dynamicTest(what, () -> {
            GgufBytes.write(file, good().raw(raw(opcodes)).build());
            assertFault(kind, file, field, found, () -> TorchFile.read(file));
        });
    }

    /** Texts as they are, numbers as one byte. */
    private static byte[] raw(Object... opcodes) {
        var out = new java.io.ByteArrayOutputStream();
        for (Object each : opcodes) {
            if (each instanceof Integer number) {
                out.write(number);
            } else {
                out.writeBytes(((String) each).getBytes(StandardCharsets.ISO_8859_1));
            }
        }
        return out.toByteArray();
    }

    @TestFactory
    Stream<DynamicTest> picklesWithOneDefectAreRefused() {
        String name = "X\1\0\0\0x";
        String tensor = "ctorch._utils\n_rebuild_tensor_v2\n";
        String storage = "(X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0" + "1X\3\0\0\0cpuK\4tQ";
        return Stream.of(
                refused("a number in place of a tensor", InvalidValue.class, "x", "the value 1", name, "K\1"),
                refused("a text in place of a tensor", InvalidValue.class, "x", "a text", name, name),
                refused("None in place of a tensor", InvalidValue.class, "x", "None", name, "N"),
                refused("a dictionary of dictionaries", InvalidValue.class, "x", "a dictionary", name, "}"),
                refused("a tuple in place of a tensor", InvalidValue.class, "x", "a tuple", name, ")"),
                refused("a storage in place of a tensor", InvalidValue.class, "x", "a storage", name, storage),
                refused("a function in place of a tensor", InvalidValue.class, "x", "a function", name, tensor),
                refused("a key without a value", InvalidValue.class, PICKLE, "without a value", name),
                refused("a number as a key", InvalidValue.class, PICKLE, "the value 1", "K\1", "K\1"),
                refused("a name twice", DuplicateKey.class, "x", "twice", name, "N", name, "N"),
                refused("a name with a line break", InvalidValue.class, PICKLE, "\"", "X\1\0\0\0\n", "N"),
                refused("a name that is no UTF-8", InvalidValue.class, PICKLE, "UTF-8", "X\1\0\0\0", 0xFF, "N"),
                refused(
                        "a text longer than the file",
                        TooLarge.class,
                        PICKLE,
                        "4294967295 bytes",
                        "X",
                        255,
                        255,
                        255,
                        255),
                refused("a text of 16 MB", TooLarge.class, PICKLE, "16777216 bytes", "X\0\0\0\1"),
                refused("a reference to nothing", InvalidValue.class, PICKLE, "value 77", "h", 77),
                refused("a long reference to nothing", InvalidValue.class, PICKLE, "value 16777216", "j\0\0\0\1"),
                refused("a number of nine bytes", TooLarge.class, PICKLE, "9 bytes", 0x8A, 9, "123456789"),
                refused("a second end of marked values", InvalidValue.class, PICKLE, "", "uu"),
                refused("a tuple of more values than there are", InvalidValue.class, PICKLE, "fewer than 3", "(", 0x87),
                refused("a call of no function", InvalidValue.class, PICKLE, "the value 1", name, "K\1)R"),
                refused("a call without arguments", InvalidValue.class, PICKLE, "0 arguments", name, tensor, ")R"),
                refused("a call with a text", InvalidValue.class, PICKLE, "a text", name, tensor, name, "R"),
                refused(
                        "a dictionary of arguments",
                        InvalidValue.class,
                        PICKLE,
                        "1 arguments",
                        name,
                        "ccollections\nOrderedDict\n(K\1tR"),
                refused("a state that is none", InvalidValue.class, PICKLE, "the value 1", name, "}K\1b"),
                refused("a state of a number", InvalidValue.class, PICKLE, "the value 1", name, "K\1}b"),
                refused("a reference to what is no storage", InvalidValue.class, PICKLE, "no storage", name, ")Q"),
                refused("a reference of a text", InvalidValue.class, PICKLE, "a text", name, name, "Q"),
                refused(
                        "a storage of no type",
                        InvalidValue.class,
                        PICKLE,
                        "a text",
                        name,
                        "(X\7\0\0\0storageX\1\0\0\0aX\1\0\0\0" + "1X\3\0\0\0cpuK\4tQ"),
                refused(
                        "a storage of fewer values than none",
                        InvalidValue.class,
                        PICKLE,
                        "-1 values",
                        name,
                        "(X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0" + "1X\3\0\0\0cpuJ",
                        255,
                        255,
                        255,
                        255,
                        "tQ"),
                refused(
                        "a storage that has no entry",
                        MissingField.class,
                        "archive/data/9",
                        "nothing",
                        name,
                        tensor,
                        "((X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0" + "9X\3\0\0\0cpuK\4tQK\0)))NtR"),
                refused(
                        "a storage of another size",
                        WrongShape.class,
                        "x",
                        "16 bytes",
                        name,
                        tensor,
                        "((X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0" + "1X\3\0\0\0cpuK\5tQK\0)))NtR"),
                refused(
                        "a storage outside the archive",
                        MissingField.class,
                        "archive/data/../data.pkl",
                        "nothing",
                        name,
                        tensor,
                        "((X\7\0\0\0storagectorch\nFloatStorage\nX\13\0\0\0../data.pklX\3\0\0\0cpuK\4tQK\0)))NtR"),
                refused(
                        "a tensor beyond its storage",
                        WrongShape.class,
                        PICKLE,
                        "from value 3",
                        name,
                        tensor,
                        "(",
                        storage,
                        "K\3K\2",
                        0x85,
                        "K\1",
                        0x85,
                        "N)tR"),
                refused(
                        "a tensor in front of its storage",
                        WrongShape.class,
                        PICKLE,
                        "from value -1",
                        name,
                        tensor,
                        "(",
                        storage,
                        "J",
                        255,
                        255,
                        255,
                        255,
                        "K\2",
                        0x85,
                        "K\1",
                        0x85,
                        "N)tR"),
                refused(
                        "a transposed tensor",
                        UnsupportedType.class,
                        PICKLE,
                        "strides [1, 2]",
                        name,
                        tensor,
                        "(",
                        storage,
                        "K\0K\2K\2",
                        0x86,
                        "K\1K\2",
                        0x86,
                        "N)tR"),
                refused(
                        "a row that stands for many",
                        UnsupportedType.class,
                        PICKLE,
                        "strides [0]",
                        name,
                        tensor,
                        "(",
                        storage,
                        "K\0K",
                        200,
                        0x85,
                        "K\0",
                        0x85,
                        "N)tR"),
                refused(
                        "more strides than sizes",
                        InvalidValue.class,
                        PICKLE,
                        "2 strides",
                        name,
                        tensor,
                        "(",
                        storage,
                        "K\0K\2",
                        0x85,
                        "K\1K\1",
                        0x86,
                        "N)tR"),
                refused(
                        "a size below 0",
                        InvalidValue.class,
                        PICKLE,
                        "-1 as a size",
                        name,
                        tensor,
                        "(",
                        storage,
                        "K\0J",
                        255,
                        255,
                        255,
                        255,
                        0x85,
                        "K\1",
                        0x85,
                        "N)tR"),
                refused(
                        "a size that is a text",
                        InvalidValue.class,
                        PICKLE,
                        "a text",
                        name,
                        tensor,
                        "(",
                        storage,
                        "K\0",
                        name,
                        0x85,
                        "K\1",
                        0x85,
                        "N)tR"),
                refused(
                        "nine dimensions",
                        TooLarge.class,
                        PICKLE,
                        "9 dimensions",
                        name,
                        tensor,
                        "(",
                        storage,
                        "K\0(K\1K\1K\1K\1K\1K\1K\1K\1K\1t(K\1K\1K\1K\1K\1K\1K\1K\1K\1tN)tR"),
                refused(
                        "a tensor of 2^65 values",
                        TooLarge.class,
                        PICKLE,
                        "shape",
                        name,
                        tensor,
                        "(",
                        storage,
                        "K\0(",
                        0x8A,
                        "\5\0\0\0\0\2",
                        0x8A,
                        "\5\0\0\0\0\1",
                        "t(",
                        0x8A,
                        "\5\0\0\0\0\1",
                        "K\1tN)tR"));
    }

    @Test
    void aPickleThatEndsEarlyOrLateIsRefused() {
        byte[] whole = good().pickle();
        for (int length = 0; length < whole.length; length++) {
            GgufBytes.write(file, good().build(Arrays.copyOf(whole, length)));
            assertThrows(FormatException.class, () -> TorchFile.read(file), "of " + length + " bytes");
        }
        GgufBytes.write(file, good().build(Arrays.copyOf(whole, whole.length + 1)));
        assertFault(InvalidValue.class, file, PICKLE, "more than one", () -> TorchFile.read(file));
        GgufBytes.write(file, good().build("\u0080\2K\1.".getBytes(StandardCharsets.ISO_8859_1)));
        assertFault(InvalidValue.class, file, PICKLE, "no dictionary", () -> TorchFile.read(file));
        GgufBytes.write(file, good().build("\u0080\1}.".getBytes(StandardCharsets.ISO_8859_1)));
        assertFault(UnsupportedVersion.class, file, PICKLE, "protocol 1", () -> TorchFile.read(file));
    }

    @Test
    void aDictionaryInItselfIsNoDictionaryOfTensors() {
        // memoise the dictionary, make it a value of itself
        GgufBytes.write(file, good().build("\u0080\2}q\0X\1\0\0\0xh\0s.".getBytes(StandardCharsets.ISO_8859_1)));
        assertFault(InvalidValue.class, file, "x", "a dictionary", () -> TorchFile.read(file));
    }

    @Test
    void aFileThatIsCutAnywhereIsRefused() {
        byte[] whole = good().build();
        for (int length = 0; length < whole.length; length++) {
            GgufBytes.write(file, Arrays.copyOf(whole, length));
            assertThrows(FormatException.class, () -> TorchFile.read(file), "of " + length + " bytes");
        }
    }

    @Test
    void otherFormatsAreRefusedByName() {
        byte[] old = {
            (byte) 0x80,
            2,
            (byte) 0x8A,
            10,
            'l',
            (byte) 0xFC,
            (byte) 0x9C,
            'F',
            (byte) 0xF9,
            ' ',
            'j',
            (byte) 0xA8,
            'P',
            25,
            '.'
        };
        GgufBytes.write(file, old);
        assertFault(UnsupportedVersion.class, file, "magic", "before version 1.6", () -> TorchFile.read(file));
        GgufBytes.write(file, "version https://git-lfs".getBytes(StandardCharsets.US_ASCII));
        assertFault(WrongMagic.class, file, "magic", "no zip file", () -> TorchFile.read(file));
        GgufBytes.write(file, TorchBytes.zip(Map.of("readme.txt", new byte[3]), ZipEntry.STORED));
        assertFault(MissingField.class, file, "data.pkl", "nothing", () -> TorchFile.read(file));
    }

    @Test
    void compressedEntriesAndAnotherByteOrderAreRefused() {
        var entries = new LinkedHashMap<String, byte[]>();
        entries.put(PICKLE, good().pickle());
        GgufBytes.write(file, TorchBytes.zip(entries, ZipEntry.DEFLATED));
        assertFault(UnsupportedType.class, file, PICKLE, "method 8", () -> TorchFile.read(file));
        entries.put("archive/byteorder", "big".getBytes(StandardCharsets.US_ASCII));
        GgufBytes.write(file, TorchBytes.zip(entries, ZipEntry.STORED));
        assertFault(UnsupportedType.class, file, "byteorder", "another", () -> TorchFile.read(file));
    }

    /** Changes a number of the directory's n-th entry, and reads. */
    private void withEntry(int index, int field, int bytes, long value) {
        byte[] whole = good().build();
        var buffer = ByteBuffer.wrap(whole).order(ByteOrder.LITTLE_ENDIAN);
        int at = buffer.getInt(whole.length - 22 + 16);
        for (int i = 0; i < index; i++) {
            at += 46 + buffer.getShort(at + 28) + buffer.getShort(at + 30) + buffer.getShort(at + 32);
        }
        if (bytes == 2) {
            buffer.putShort(at + field, (short) value);
        } else {
            buffer.putInt(at + field, (int) value);
        }
        GgufBytes.write(file, whole);
    }

    @Test
    void aDirectoryWithOneDefectIsRefused() {
        withEntry(0, 0, 4, 1);
        assertFault(InvalidValue.class, file, "zip directory", "no entry", () -> TorchFile.read(file));
        withEntry(0, 8, 2, 1);
        assertFault(UnsupportedType.class, file, PICKLE, "encrypted", () -> TorchFile.read(file));
        withEntry(0, 16, 4, 1);
        assertFault(InvalidValue.class, file, PICKLE, "check sum", () -> TorchFile.read(file));
        withEntry(0, 20, 4, 1);
        assertFault(InvalidValue.class, file, PICKLE, "1 bytes stored", () -> TorchFile.read(file));
        withEntry(0, 28, 2, 9999);
        assertFault(InvalidValue.class, file, "zip directory", "bytes at byte", () -> TorchFile.read(file));
        withEntry(2, 42, 4, 0);
        assertFault(Overlap.class, file, "archive/", "bytes from", () -> TorchFile.read(file));
        withEntry(0, 42, 4, 5);
        assertFault(InvalidValue.class, file, PICKLE, "no header", () -> TorchFile.read(file));
        withEntry(0, 42, 4, 0x7FFF_FFFF);
        assertFault(InvalidValue.class, file, PICKLE, "header at byte", () -> TorchFile.read(file));
        withEntry(0, 42, 4, -1);
        assertFault(MissingField.class, file, PICKLE, "nothing", () -> TorchFile.read(file));
    }

    /** Changes a number of the directory's end, and reads. */
    private void withEnd(int field, int bytes, long value) {
        byte[] whole = good().build();
        var buffer = ByteBuffer.wrap(whole).order(ByteOrder.LITTLE_ENDIAN);
        int at = whole.length - 22 + field;
        if (bytes == 2) {
            buffer.putShort(at, (short) value);
        } else {
            buffer.putInt(at, (int) value);
        }
        GgufBytes.write(file, whole);
    }

    @Test
    void anEndOfTheDirectoryWithOneDefectIsRefused() {
        withEnd(10, 2, 300);
        assertFault(InvalidValue.class, file, "zip directory", "no entry", () -> TorchFile.read(file));
        withEnd(12, 4, 0x7FFF_FFFF);
        assertFault(TooLarge.class, file, "zip directory", "2147483647 bytes", () -> TorchFile.read(file));
        withEnd(16, 4, 0x7FFF_FFFF);
        assertFault(Truncated.class, file, "zip directory", "", () -> TorchFile.read(file));
        withEnd(16, 4, -1);
        assertFault(InvalidValue.class, file, "zip directory", "locator", () -> TorchFile.read(file));
        withEnd(20, 2, 5);
        assertFault(Truncated.class, file, "zip directory", "no end", () -> TorchFile.read(file));
    }

    @Test
    void numbersOf64BitsAreRead() {
        byte[] zip = good().build();
        var buffer = ByteBuffer.wrap(zip).order(ByteOrder.LITTLE_ENDIAN);
        int end = zip.length - 22;
        long entries = buffer.getShort(end + 10);
        long bytes = buffer.getInt(end + 12);
        long offset = buffer.getInt(end + 16);
        var end64 = GgufBytes.bytes(0x06064b50, 44L, 0x002D002D, 0, 0, entries, entries, bytes, offset);
        var locator = GgufBytes.bytes(0x07064b50, 0, (long) end, 1);
        buffer.putShort(end + 10, (short) -1).putInt(end + 12, -1).putInt(end + 16, -1);
        GgufBytes.write(
                file,
                GgufBytes.bytes(Arrays.copyOf(zip, end), end64, locator, Arrays.copyOfRange(zip, end, zip.length)));
        assertInstanceOf(Tensor.class, TorchFile.read(file).require("a.weight", 4, 6));
    }

    @Test
    void anEntrysNumbersOf64BitsAreRead() {
        byte[] zip = good().build();
        var buffer = ByteBuffer.wrap(zip).order(ByteOrder.LITTLE_ENDIAN);
        int end = zip.length - 22;
        int directory = buffer.getInt(end + 16);
        int nameLength = buffer.getShort(directory + 28);
        long bytes = buffer.getInt(directory + 24);
        long headerAt = buffer.getInt(directory + 42);
        // An unknown field of 3 bytes, then the sizes and the place of the first entry.
        var extra = GgufBytes.bytes((short) 7, (short) 3, new byte[3], (short) 1, (short) 24, bytes, bytes, headerAt);
        buffer.putInt(directory + 20, -1).putInt(directory + 24, -1).putInt(directory + 42, -1);
        buffer.putShort(directory + 30, (short) extra.length);
        buffer.putInt(end + 12, buffer.getInt(end + 12) + extra.length);
        int nameEnd = directory + 46 + nameLength;
        GgufBytes.write(
                file,
                GgufBytes.bytes(Arrays.copyOf(zip, nameEnd), extra, Arrays.copyOfRange(zip, nameEnd, zip.length)));
        assertEquals(List.of(4L, 6L), TorchFile.read(file).require("a.weight").shape());
    }
}
