package io.hydra4j;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.decode.Tree;
import io.hydra4j.heads.TreeOrder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Each way in which a file can be no tree has a message of its own, in one line that names the file. */
class TreeFileTest {
    private static final List<List<Integer>> PATHS = List.of(List.of(0), List.of(1), List.of(0, 0));

    @TempDir
    Path folder;

    private static TunedTree tuned() {
        MeasuredTree chosen = new MeasuredTree(4, 2, 1.9, 2.0, 1500);
        return new TunedTree(
                new TreeOrder(PATHS, List.of(1.0, 0.5, 0.25, 0.125)),
                chosen,
                List.of(new MeasuredTree(1, 0, 1, 1, 1000), new MeasuredTree(2, 1, 1.5, 1.5, 1250.5), chosen),
                1000,
                900,
                Map.of("heads", "4 hydra", "backend", "CPU"));
    }

    private Path written(String json) throws IOException {
        return Files.writeString(folder.resolve("tree.json"), json);
    }

    private void assertRefused(Class<? extends FormatException> type, String json, String message) throws IOException {
        Path file = written(json);
        FormatException read = assertThrows(FormatException.class, () -> TreeFile.read(file));
        assertInstanceOf(type, read);
        assertTrue(read.getMessage().startsWith(file + ": " + message), read.getMessage());
        assertEquals(1, read.getMessage().lines().count());
        FormatException parsed = assertThrows(FormatException.class, () -> TreeFile.parse(file, json));
        assertEquals(read.getMessage(), parsed.getMessage());
    }

    /** A file that was saved, with one part of it replaced. */
    private void assertRefusedWith(Class<? extends FormatException> type, String part, String instead, String message)
            throws IOException {
        Path file = folder.resolve("saved.json");
        tuned().save(file);
        String json = Files.readString(file);
        assertTrue(json.contains(part), json);
        assertRefused(type, json.replace(part, instead), message);
        assertThrows(FormatException.class, () -> TunedTree.load(folder.resolve("tree.json")));
    }

    @Test
    void aListOfPathsInAnyOrderIsATree() throws IOException {
        assertEquals(Tree.of(PATHS), TreeFile.read(written("[[0, 0], [1],\n[0]]")));
        assertEquals(Tree.ROOT, TreeFile.read(written("[]")));
        assertEquals(
                Tree.chain(63), TreeFile.read(written(Tree.chain(63).paths().toString())));
    }

    @Test
    void aTextNeedsNoFile() {
        assertEquals(Tree.of(PATHS), TreeFile.parse(Path.of("resource"), "[[0], [1], [0, 0]]"));
    }

    @Test
    void aTunedTreeThatWasSavedIsLoadedAsItWas() throws IOException {
        Path file = folder.resolve("tree.json");
        tuned().save(file);
        assertEquals(tuned(), TunedTree.load(file));
        assertEquals(Tree.of(PATHS), TreeFile.read(file));
        assertTrue(Files.size(file) < 2000, "small");
    }

    @Test
    void aBareListIsATreeButNoTunedOne() throws IOException {
        Path file = written("[[0]]");
        FormatException refused = assertThrows(FormatException.class, () -> TunedTree.load(file));
        assertTrue(refused.getMessage().contains("tree: found a list, expected"), refused.getMessage());
    }

    @Test
    void noJson() throws IOException {
        assertRefused(FormatException.InvalidJson.class, "[[0],[0,0]", "tree: found Unexpected end-of-input");
    }

    @Test
    void nothing() throws IOException {
        assertRefused(FormatException.InvalidJson.class, "", "tree: found nothing");
    }

    @Test
    void somethingAfterIt() throws IOException {
        assertRefused(FormatException.InvalidJson.class, "[[0]] [[0]]", "tree: found text after the value");
    }

    @Test
    void aNumber() throws IOException {
        assertRefused(FormatException.InvalidValue.class, "63", "tree: found 63, expected a list of paths, such as");
    }

    @Test
    void anotherObject() throws IOException {
        assertRefused(FormatException.MissingField.class, "{\"paths\": [[0]]}", "version: found nothing");
    }

    @Test
    void aKeyTwice() throws IOException {
        assertRefused(
                FormatException.DuplicateKey.class, "{\"version\": 1, \"version\": 1}", "tree: found the same name");
    }

    @Test
    void aPathThatIsNoList() throws IOException {
        assertRefused(FormatException.InvalidValue.class, "[[0], 1]", "path 1: found 1, expected a list of ranks");
    }

    @Test
    void aRankThatIsNoInteger() throws IOException {
        assertRefused(
                FormatException.InvalidValue.class, "[[0], [0.5]]", "path 1: found [0.5], expected a list of ranks");
    }

    @Test
    void aNegativeRank() throws IOException {
        assertRefused(
                FormatException.InvalidValue.class, "[[-1]]", "path 0: found [-1], expected a list of ranks from 0");
    }

    @Test
    void aRankThatIsTooLarge() throws IOException {
        assertRefused(
                FormatException.InvalidValue.class, "[[32]]", "path 0: found [32], expected a list of ranks from 0");
    }

    @Test
    void aRankBeyondAllIntegers() throws IOException {
        assertRefused(FormatException.InvalidValue.class, "[[4294967296]]", "path 0: found [4294967296], expected");
    }

    @Test
    void anEmptyPath() throws IOException {
        assertRefused(FormatException.InvalidValue.class, "[[]]", "path 0: found an empty path");
    }

    @Test
    void aPathTwice() throws IOException {
        assertRefused(FormatException.InvalidValue.class, "[[0], [0]]", "path 1: found [0], which is given twice");
    }

    @Test
    void aPathWithoutItsParent() throws IOException {
        assertRefused(
                FormatException.InvalidValue.class, "[[0], [1, 0]]", "path 1: found [1, 0] without its parent [1]");
    }

    @Test
    void aPathThatIsTooDeep() throws IOException {
        String deep = Collections.nCopies(64, 0).toString();
        assertRefused(
                FormatException.TooLarge.class, "[" + deep + "]", "path 0: found a path of 64 ranks, expected at");
    }

    @Test
    void tooManyNodes() throws IOException {
        String many = "[[0]" + ",[1]".repeat(63) + "]";
        assertRefused(FormatException.TooLarge.class, many, "paths: found 64 paths, expected at most 63");
    }

    @Test
    void aHugeFile() throws IOException {
        String huge = "[[0]" + " ".repeat(1 << 20) + "]";
        assertRefused(
                FormatException.TooLarge.class, huge, "size: found " + huge.length() + " bytes, expected at most");
    }

    @Test
    void nestedBeyondReason() throws IOException {
        assertRefused(FormatException.InvalidJson.class, "[".repeat(100), "tree: found ");
    }

    @Test
    void noFile() {
        Path none = folder.resolve("none.json");
        FormatException refused = assertThrows(FormatException.Unreadable.class, () -> TreeFile.read(none));
        assertEquals(none + ": file: found no such file, expected a readable file", refused.getMessage());
    }

    @Test
    void noUtf8() throws IOException {
        Path file = Files.write(folder.resolve("tree.json"), new byte[] {'[', (byte) 0xFF, ']'});
        assertThrows(FormatException.InvalidValue.class, () -> TreeFile.read(file));
    }

    @Test
    void anotherVersion() throws IOException {
        assertRefusedWith(
                FormatException.InvalidValue.class,
                "\"version\" : 1",
                "\"version\" : 2",
                "version: found 2, expected an integer from 1 to 1");
    }

    @Test
    void anUnknownField() throws IOException {
        assertRefusedWith(
                FormatException.InvalidValue.class,
                "\"version\" : 1",
                "\"version\" : 1, \"nodes\" : 4",
                "nodes: found an unknown field, expected one of [version, tree_paths");
    }

    @Test
    void noPaths() throws IOException {
        assertRefusedWith(
                FormatException.MissingField.class,
                "\"tree_paths\" : [ [ 0 ], [ 1 ], [ 0, 0 ] ],",
                "",
                "tree_paths: found nothing, expected an array");
    }

    @Test
    void pathsThatAreNone() throws IOException {
        assertRefusedWith(
                FormatException.InvalidValue.class, "[ [ 0 ], [ 1 ], [ 0, 0 ] ]", "\"0\"", "tree_paths: found \"0\"");
    }

    @Test
    void aPathBeforeItsParent() throws IOException {
        assertRefusedWith(
                FormatException.InvalidValue.class,
                "[ [ 0 ], [ 1 ], [ 0, 0 ] ]",
                "[ [ 0, 0 ], [ 0 ], [ 1 ] ]",
                "path 0: found [0, 0] without its parent [0], expected each path after its parent");
    }

    @Test
    void noGains() throws IOException {
        assertRefusedWith(
                FormatException.MissingField.class, "\"tree_gains\" : [ 1.0, 0.5, 0.25, 0.125 ],", "", "tree_gains: ");
    }

    @Test
    void fewerGainsThanNodes() throws IOException {
        assertRefusedWith(
                FormatException.InvalidValue.class,
                "0.25, 0.125 ]",
                "0.25 ]",
                "tree_gains: found an array, expected 1 for the root and a number");
    }

    @Test
    void aGainBeyondOne() throws IOException {
        assertRefusedWith(FormatException.InvalidValue.class, "1.0, 0.5,", "1.0, 5,", "tree_gains: found an array");
    }

    @Test
    void aChosenTreeOfAnotherSize() throws IOException {
        assertRefusedWith(
                FormatException.InvalidValue.class,
                "\"nodes\" : 4",
                "\"nodes\" : 5",
                "chosen.nodes: found 5, expected an integer from 4 to 4");
    }

    @Test
    void noAcceptanceLength() throws IOException {
        assertRefusedWith(
                FormatException.MissingField.class,
                "\"acceptance_length\" : 1.9,",
                "",
                "chosen.acceptance_length: found nothing");
    }

    @Test
    void costsThatAreNone() throws IOException {
        assertRefusedWith(
                FormatException.InvalidValue.class,
                "1250.5",
                "-1",
                "measured.step_ns: found -1.0, expected numbers from 1");
    }

    @Test
    void fewerCostsThanTrees() throws IOException {
        assertRefusedWith(
                FormatException.InvalidValue.class,
                "1250.5, 1500.0",
                "1500.0",
                "measured.step_ns: found 2 numbers, expected 3, one for each tree");
    }

    @Test
    void noFacts() throws IOException {
        assertRefusedWith(
                FormatException.InvalidValue.class, "\"facts\"", "\"fakts\"", "fakts: found an unknown field");
        assertRefusedWith(
                FormatException.InvalidValue.class, "\"4 hydra\"", "4", "facts.heads: found 4, expected a text");
    }

    @Test
    void aFileThatCannotBeWrittenIsTold() {
        Path nowhere = folder.resolve("none/tree.json");
        HydraException refused = assertThrows(HydraException.class, () -> tuned().save(nowhere));
        assertEquals(nowhere + ": cannot be written: there is no such folder", refused.getMessage());
    }
}
