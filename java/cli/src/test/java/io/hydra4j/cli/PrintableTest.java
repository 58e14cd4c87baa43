package io.hydra4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PrintableTest {
    @ParameterizedTest
    @CsvSource({
        "'a\033[2Jb', 'a\\u001b[2Jb'",
        "'\u009b31m', '\\u009b31m'",
        "'a\u202egnp', 'a\\u202egnp'",
        "'x\u007f', 'x\\u007f'",
        "'a\u2028b', 'a\\u2028b'",
        "'\ud800', '\\ud800'",
        "'\udb40\udc41', '\\udb40\\udc41'",
    })
    void whatCouldConfuseATerminalBecomesVisible(String text, String expected) {
        assertEquals(expected, Printable.line(text));
        assertEquals(expected, Printable.text(text));
    }

    @Test
    void lineBreaksStayInTextAndAreVisibleInALine() {
        assertEquals("a\n\tb\n", Printable.text("a\r\n\tb\r\n"));
        assertEquals("a\\r\\n\\tb", Printable.line("a\r\n\tb"));
    }

    @Test
    void ordinaryTextStaysAsItIs() {
        String family = "\ud83d\udc68\u200d\ud83d\udc69";

        assertEquals(family + " é 中 \\", Printable.line(family + " é 中 \\"));
        assertSame("plain", Printable.line("plain"));
    }

    @Test
    void longTextIsCutBetweenCharacters() {
        assertEquals("abc...", Printable.line("abcdef", 3));
        assertEquals("ab...", Printable.line("ab\ud83d\udc68cdef", 3));
        assertEquals("abc", Printable.line("abc", 3));
    }
}
