package io.hydra4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.HydraException;
import io.hydra4j.decode.Tree;
import io.hydra4j.fuzz.JsonDamage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TreeNameTest {
    private static final Console CONSOLE =
            Console.of(InputStream.nullInputStream(), new ByteArrayOutputStream(), new ByteArrayOutputStream());

    @TempDir
    Path folder;

    @Test
    void aChainHasItsLength() {
        assertEquals(Tree.chain(4), TreeName.read("chain:4", CONSOLE));
        assertEquals(Tree.ROOT, TreeName.read("chain:0", CONSOLE));
    }

    @Test
    void aDynamicTreeHasItsNodes() {
        assertEquals(Tree.dynamic(12), TreeName.read("dynamic:12", CONSOLE));
        assertEquals(Tree.ROOT, TreeName.read("dynamic:1", CONSOLE));
    }

    @Test
    void theDefaultTreeIsLeftToTheModel() {
        assertNull(TreeName.read("default", CONSOLE));
        assertNull(TreeName.read(null, CONSOLE));
    }

    @Test
    void aFileHoldsPaths() throws IOException {
        Path file = Files.writeString(folder.resolve("tree.json"), "[[0],[1],\n[0, 0]]");

        assertEquals(Tree.of(List.of(List.of(0), List.of(0, 0), List.of(1))), TreeName.read(file.toString(), CONSOLE));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "[[0],[0,0]        | tree: found Unexpected end-of-input",
                "[[0]] x           | tree: found",
                "{\"paths\":[[0]]} | version: found nothing",
                "''                | tree: found nothing",
                "[0, 1]            | path 0: found 0",
                "[[0], \"0\"]      | path 1: found 0",
                "[[0], [0.5]]      | path 1: found [0.5]",
                "[[0], [-1]]       | path 1: found [-1]",
                "[[0], [32]]       | path 1: found [32]",
                "[[0], [1, 0]]     | without its parent [1]",
                "[[0], [0]]        | is given twice",
                "[[]]              | an empty path"
            })
    void whatIsNoTreeIsAnErrorThatNamesTheFile(String json, String expected) throws IOException {
        Path file = Files.writeString(folder.resolve("tree.json"), json);

        var error = assertThrows(HydraException.class, () -> TreeName.read(file.toString(), CONSOLE));

        assertTrue(error.getMessage().startsWith(file.toString()), error.getMessage());
        assertTrue(error.getMessage().contains(expected), error.getMessage());
        assertEquals(1, error.getMessage().lines().count(), error.getMessage());
    }

    @Test
    void tooManyPathsAreAnError() throws IOException {
        String json = "[[0]" + ",[0]".repeat(64) + "]";
        Path file = Files.writeString(folder.resolve("tree.json"), json);

        assertThrows(HydraException.class, () -> TreeName.read(file.toString(), CONSOLE));
    }

    @Test
    void aMissingFileIsAnError() {
        String file = folder.resolve("none.json").toString();

        var error = assertThrows(HydraException.class, () -> TreeName.read(file, CONSOLE));

        assertEquals(file + ": no such file", error.getMessage());
    }

    @Test
    void aDamagedFileIsReadOrRefusedInALine() throws IOException {
        Path file = folder.resolve("damaged.json");
        Random random = new Random(9);
        int refused = 0;
        for (int i = 0; i < 3000; i++) {
            Object tree = JsonDamage.damaged(random, JsonDamage.parse("[[0],[1],[0,0],[0,1],[0,0,0]]"));
            Files.write(file, JsonDamage.bytes(random, tree));
            try {
                TreeName.read(file.toString(), CONSOLE);
            } catch (HydraException e) {
                refused++;
                assertTrue(e.getMessage().length() < 1000 && !e.getMessage().contains("\n"), e.getMessage());
            }
        }
        assertTrue(refused > 1000 && refused < 3000, refused + " of 3000 files are refused");
    }
}
