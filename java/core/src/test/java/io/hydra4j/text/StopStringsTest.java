package io.hydra4j.text;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class StopStringsTest {
    @Test
    void textBeforeAStopStringIsReleasedAndNothingElse() {
        StopStrings stops = new StopStrings(List.of("\n\n"));
        assertEquals("int a;", stops.push("int a;\n"));
        assertFalse(stops.stopped());
        assertEquals("", stops.push("\nint b;"));
        assertTrue(stops.stopped());
        assertEquals("", stops.push("int c;"));
        assertEquals("", stops.finish());
    }

    @Test
    void textThatOnlyBeganAStopStringIsReleased() {
        StopStrings stops = new StopStrings(List.of("</s>"));
        assertEquals("a ", stops.push("a <"));
        assertEquals("", stops.push("/"));
        assertEquals("</b>", stops.push("b>"));
        assertEquals("", stops.push("</"));
        assertEquals("</", stops.finish());
        assertFalse(stops.stopped());
    }

    @Test
    void aStopStringThatOverlapsItselfIsFound() {
        StopStrings stops = new StopStrings(List.of("aab"));
        assertEquals("a", stops.push("aaa"));
        assertEquals("", stops.push("b"));
        assertTrue(stops.stopped());
    }

    @Test
    void theStopStringThatIsCompleteFirstWins() {
        StopStrings stops = new StopStrings(List.of("abcd", "bc"));
        assertEquals("a", stops.push("abcd"));
        assertTrue(stops.stopped());
    }

    @Test
    void theLongestOfThoseThatEndTogetherWins() {
        StopStrings stops = new StopStrings(List.of("User:", "\n\nUser:"));
        assertEquals("Yes.", stops.push("Yes.\n\nUs") + stops.push("er:"));
        assertTrue(stops.stopped());
    }

    @Test
    void withoutStopStringsAllTextPassesAtOnce() {
        StopStrings stops = new StopStrings(List.of());
        assertEquals("abc", stops.push("abc"));
        assertEquals("", stops.finish());
    }

    @Test
    void anEmptyStopStringIsRefused() {
        assertThrows(IllegalArgumentException.class, () -> new StopStrings(List.of("a", "")));
    }

    @Test
    void aFinishedTextTakesNoMore() {
        StopStrings stops = new StopStrings(List.of("a"));
        stops.finish();
        assertThrows(IllegalStateException.class, () -> stops.push("b"));
        assertThrows(IllegalStateException.class, stops::finish);
    }

    @Test
    void itDoesWhatTryingEverythingDoes() {
        Random random = new Random(1);
        for (int round = 0; round < 20_000; round++) {
            List<String> stops = IntStream.range(0, 1 + random.nextInt(4))
                    .mapToObj(i -> randomText(random, 1 + random.nextInt(5)))
                    .toList();
            String text = randomText(random, random.nextInt(30));
            int end = firstEnd(text, stops);
            String expected = end < 0 ? text : text.substring(0, end - longestAt(text, end, stops));

            StopStrings filter = new StopStrings(stops);
            StringBuilder out = new StringBuilder();
            for (int at = 0; at < text.length(); ) {
                int next = Math.min(text.length(), at + random.nextInt(4));
                out.append(filter.push(text.substring(at, next)));
                at = next;
                if (end < 0 || at < end) {
                    assertEquals(text.substring(0, at - held(text.substring(0, at), stops)), out.toString());
                }
            }
            assertEquals(end >= 0, filter.stopped());
            assertEquals(expected, out + filter.finish(), () -> text + " " + stops);
        }
    }

    @Test
    void aLongTextThatAlmostStopsIsReleasedAsFarAsItCanBe() {
        int length = 5000;
        StopStrings stops = new StopStrings(List.of("a".repeat(length) + "b"));
        for (int i = 0; i < 20 * length; i++) {
            assertEquals(i < length ? "" : "a", stops.push("a"));
        }
        assertEquals(length, stops.finish().length());
    }

    private static String randomText(Random random, int length) {
        return random.ints(length, 0, 3)
                .mapToObj(i -> "abc".substring(i, i + 1))
                .collect(Collectors.joining());
    }

    private static int firstEnd(String text, List<String> stops) {
        return IntStream.rangeClosed(0, text.length())
                .filter(end -> longestAt(text, end, stops) > 0)
                .findFirst()
                .orElse(-1);
    }

    private static int longestAt(String text, int end, List<String> stops) {
        return stops.stream()
                .filter(text.substring(0, end)::endsWith)
                .mapToInt(String::length)
                .max()
                .orElse(0);
    }

    /** The longest end of the text that begins a stop string. */
    private static int held(String text, List<String> stops) {
        return IntStream.rangeClosed(0, text.length())
                .filter(n -> stops.stream().anyMatch(stop -> stop.startsWith(text.substring(text.length() - n))))
                .max()
                .orElse(0);
    }
}
