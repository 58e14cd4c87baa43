package io.hydra4j.tuning;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.HydraException;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class ConversionTextTest {
    private static final int[] BEGIN = {9};

    @Test
    void ofManyDocumentsEveryOtherOneIsAHalf() {
        ConversionText text = new ConversionText(
                IntStream.range(0, 21).mapToObj(i -> new int[] {9, i}).toList(), BEGIN);
        List<ConversionText> halves = text.halves("text");
        assertEquals(11, halves.get(0).documents().size());
        assertEquals(10, halves.get(1).documents().size());
        halves.get(0).documents().forEach(document -> assertEquals(0, document[1] % 2));
        halves.get(1).documents().forEach(document -> assertEquals(1, document[1] % 2));
    }

    @Test
    void fewDocumentsAreCutInTheMiddleAndBothPartsBeginAsATextDoes() {
        ConversionText text = new ConversionText(List.of(new int[] {9, 1, 2, 3, 4, 5}, new int[] {9, 6}), BEGIN);
        List<ConversionText> halves = text.halves("text");
        assertEquals(1, halves.get(0).documents().size(), "one token has no halves");
        assertArrayEquals(new int[] {9, 1, 2}, halves.get(0).documents().get(0));
        assertArrayEquals(new int[] {9, 3, 4, 5}, halves.get(1).documents().get(0));
    }

    @Test
    void aTextThatCannotBeHalvedIsTold() {
        ConversionText text = new ConversionText(List.of(new int[] {9, 1}), BEGIN);
        HydraException refused = assertThrows(HydraException.class, () -> text.halves("a.txt"));
        assertTrue(refused.getMessage().startsWith("a.txt: is too short"), refused.getMessage());
    }
}
