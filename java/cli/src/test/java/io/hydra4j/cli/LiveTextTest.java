package io.hydra4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.hydra4j.Chunk;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

class LiveTextTest {
    private static final String RESET = "\033[0m";
    private static final String FIRST = "\033[38;5;255;48;5;236m";
    private static final String SECOND = "\033[38;5;255;48;5;240m";

    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final Console console = Console.of(InputStream.nullInputStream(), out, new ByteArrayOutputStream());

    private String show(boolean shaded, String... steps) {
        LiveText live = new LiveText(console, shaded);
        for (String step : steps) {
            live.show(Chunk.of(new int[] {1}, step));
        }
        live.end();
        return out.toString(StandardCharsets.UTF_8);
    }

    @Test
    void stepsTakeTurnsWithTwoShades() {
        assertEquals(
                FIRST + "int i" + RESET + SECOND + " =" + RESET + FIRST + " 0" + RESET + "\n",
                show(true, "int i", " =", " 0"));
    }

    @Test
    void aStepWithoutTextTakesItsTurnToo() {
        assertEquals(FIRST + "a" + RESET + FIRST + "b" + RESET + "\n", show(true, "a", "", "b"));
    }

    @Test
    void lineBreaksHaveNoShade() {
        assertEquals(FIRST + "a;" + RESET + "\n\n" + FIRST + "  b" + RESET + "\n", show(true, "a;\n\n  b"));
    }

    @Test
    void withoutColoursThereIsOnlyText() {
        assertEquals("a;\nb\n", show(false, "a;", "\nb\n"));
    }

    @Test
    void whatTheModelWritesCannotSteerTheTerminal() {
        assertEquals("\\u001b[31mred\n", show(false, "\033[31mred"));
    }

    @Test
    void nothingIsShownOfNothing() {
        assertEquals("", show(true));
    }
}
