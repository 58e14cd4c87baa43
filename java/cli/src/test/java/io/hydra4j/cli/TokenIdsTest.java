package io.hydra4j.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.FormatException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TokenIdsTest {
    private static final Path FILE = Path.of("prompts.jsonl");

    @Test
    void everyLineIsAPromptAndEmptyOnesAreNone() {
        var lines = TokenIds.parse(FILE, "[1, 2]\r\n\n  \n [3]");

        assertEquals(2, lines.size());
        assertArrayEquals(new int[] {1, 2}, lines.get(0).ids());
        assertArrayEquals(new int[] {3}, lines.get(1).ids());
        assertEquals(4, lines.get(1).line());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "[1, 2",
                "[1] [2]",
                "[1],",
                "1, 2",
                "7",
                "{\"a\": 1}",
                "{\"a\": 1, \"a\": 1}",
                "null",
                "[]",
                "[-1]",
                "[1.5]",
                "[\"1\"]",
                "[null]",
                "[[1]]",
                "[2147483648]",
                "[1e3]",
                "[99999999999999999999]",
                "[01]",
                "// no",
                "[1,]"
            })
    void anythingElseIsAnErrorThatNamesItsLine(String line) {
        var error = assertThrows(FormatException.class, () -> TokenIds.parse(FILE, "[1]\n" + line + "\n[2]"));

        assertTrue(error.getMessage().startsWith("prompts.jsonl: line 2: found "), error.getMessage());
        assertEquals(1, error.getMessage().lines().count());
    }

    @Test
    void deepNestingIsAnErrorAndNotAnOverflow() {
        assertThrows(FormatException.InvalidJson.class, () -> TokenIds.parse(FILE, "[".repeat(100_000)));
    }

    @Test
    void noLineAtAllIsAnError() {
        assertThrows(FormatException.InvalidValue.class, () -> TokenIds.parse(FILE, "\n \n"));
    }
}
