package io.hydra4j.runtime;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class BatchTest {
    private final Backend backend = Backend.openCpu(1);
    private final Batch batch = Batch.create(backend, 3, 2);
    private final PassRows rows = PassRows.create(batch, 100);

    @AfterEach
    void close() {
        rows.close();
        batch.close();
        backend.close();
    }

    private void advance() {
        try (Program program = Program.create(backend)) {
            program.commit(null, rows, null, null, null, 0, null, null, false, null);
            program.run();
        }
    }

    @Test
    void sequencesAreEmptyAtFirst() {
        assertEquals(3, batch.sequences());
        for (int s = 0; s < 3; s++) {
            assertEquals(0, batch.length(s));
            assertEquals(-1, batch.root(s));
            assertEquals(0, batch.emitted(s));
        }
        assertEquals(0, rows.count());
        assertEquals(100, rows.maxRows());
    }

    @Test
    void chainsStandOneBehindTheOtherAndLengthenTheirSequencesAlone() {
        rows.setChains(new int[] {2, 0}, new int[] {3, 70}, new int[73]);
        assertEquals(73, rows.count());
        advance();
        assertArrayEquals(new int[] {70, 0, 3}, new int[] {batch.length(0), batch.length(1), batch.length(2)});
        rows.setChain(1, new int[] {4, 5, 6, 7}, 1, 2);
        assertArrayEquals(new int[] {5, 6}, rows.tokens());
        advance();
        assertEquals(2, batch.length(1));
        assertEquals(2, batch.nodes(1));
        assertEquals(70, batch.length(0));
    }

    @Test
    void rowsAreVoidWhereASequenceGoesBackOrItsTableGetsShorter() {
        batch.setPages(0, new int[] {0, 1});
        rows.setChain(1, new int[5]);
        batch.setPages(0, new int[] {3, 1});
        assertEquals(5, rows.count());
        batch.setPages(0, new int[] {3, 1}, 1);
        assertEquals(0, rows.count());
        rows.setChain(1, new int[5]);
        batch.rewind(2, 0, 7);
        assertEquals(0, rows.count());
        assertEquals(7, batch.root(2));
    }

    @ParameterizedTest
    @ValueSource(ints = {-1, 3, Integer.MAX_VALUE})
    void whatIsNoSequenceIsRefused(int sequence) {
        assertThrows(IndexOutOfBoundsException.class, () -> batch.length(sequence));
        assertThrows(IndexOutOfBoundsException.class, () -> batch.root(sequence));
        assertThrows(NativeException.class, () -> batch.rewind(sequence, 0, 0));
        assertThrows(NativeException.class, () -> batch.setPages(sequence, new int[1]));
        assertThrows(NativeException.class, () -> rows.setChain(sequence, new int[1]));
    }

    @Test
    void chainsThatDoNotFitAreRefused() {
        int[] one = {1};
        assertThrows(IllegalArgumentException.class, () -> rows.setChains(new int[] {0, 1}, one, one));
        assertThrows(IllegalArgumentException.class, () -> rows.setChains(new int[] {0}, new int[] {2}, one));
        assertThrows(IllegalArgumentException.class, () -> rows.setChains(new int[] {0}, new int[] {0}, one));
        assertThrows(NativeException.class, () -> rows.setChains(new int[] {1, 1}, new int[] {1, 1}, new int[2]));
        assertThrows(NativeException.class, () -> rows.setChains(new int[] {0, 1}, new int[] {1, 0}, one));
        assertThrows(NativeException.class, () -> rows.setChains(new int[] {0, 1}, new int[] {2, -1}, one));
        assertThrows(IllegalArgumentException.class, () -> rows.setChains(new int[] {0}, one, one, new boolean[2]));
        rows.setChains(new int[0], new int[0], new int[0]);
        assertEquals(0, rows.count());
        assertThrows(NativeException.class, () -> rows.setChain(0, new int[101]));
        assertThrows(IndexOutOfBoundsException.class, () -> rows.setChain(0, new int[4], 2, 3));
        assertThrows(IndexOutOfBoundsException.class, () -> rows.setChain(0, new int[4], -1, 1));
    }

    @Test
    void sizesBeyondTheLimitsAreRefused() {
        for (int size : new int[] {-1, 0, Batch.MAX_SEQUENCES + 1}) {
            assertThrows(NativeException.class, () -> Batch.create(backend, size, 1));
        }
        for (int most : new int[] {-1, 0, PassRows.MAX_ROWS + 1}) {
            assertThrows(NativeException.class, () -> PassRows.create(batch, most));
            assertThrows(NativeException.class, () -> TopK.create(backend, 1, most));
        }
        Batch.create(backend, Batch.MAX_SEQUENCES, 1).close();
        try (TopK top = TopK.create(backend, 1, PassRows.MAX_ROWS)) {
            assertEquals(0, top.id(PassRows.MAX_ROWS - 1, 0));
            assertThrows(IndexOutOfBoundsException.class, () -> top.id(PassRows.MAX_ROWS, 0));
        }
    }
}
