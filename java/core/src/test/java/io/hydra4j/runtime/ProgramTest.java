package io.hydra4j.runtime;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** A model that is an embedding and an LM head: after token t comes token t + 1, and its draft head knows it too. */
class ProgramTest {
    private static final int VOCABULARY = 8;
    private static final int MAX_ROWS = 64;

    private final Backend backend = Backend.openCpu(2);
    private final Batch batch = Batch.create(backend, 1, 4);
    private final PassRows rows = PassRows.create(batch, MAX_ROWS);
    private final Buffer hidden = Buffer.floats(backend, MAX_ROWS * VOCABULARY);
    private final PassRows uncommittedRows = PassRows.create(batch, MAX_ROWS);
    private final Buffer uncommitted = Buffer.floats(backend, MAX_ROWS * VOCABULARY);
    private final Buffer states = Buffer.floats(backend, VOCABULARY);
    private final Buffer selection = Buffer.ints(backend, MAX_ROWS);
    private final Matrix embedding = matrix(0, 1);
    private final Matrix lmHead = matrix(1, 1);
    private final TopK best = TopK.create(backend, 2, MAX_ROWS);
    private final KvPool pool = KvPool.create(backend, WeightType.F32, 1, 1, 8, 4);

    @AfterEach
    void close() {
        backend.close();
        pool.close();
        best.close();
        lmHead.close();
        embedding.close();
        selection.close();
        states.close();
        uncommitted.close();
        uncommittedRows.close();
        hidden.close();
        rows.close();
        batch.close();
    }

    /**
     * [to][parts * from]: in the last part of the columns 2 where to = from + shift, and shift where to = from + shift + 1;
     * zeros elsewhere.
     */
    private Matrix matrix(int shift, int parts) {
        float[] values = new float[VOCABULARY * VOCABULARY * parts];
        for (int from = 0; from < VOCABULARY; from++) {
            int column = (parts - 1) * VOCABULARY + from;
            values[(from + shift) % VOCABULARY * VOCABULARY * parts + column] = 2;
            values[(from + shift + 1) % VOCABULARY * VOCABULARY * parts + column] = shift;
        }
        Matrix matrix = Matrix.create(backend, WeightType.F32, VOCABULARY, (long) VOCABULARY * parts);
        matrix.write(0, values);
        return matrix;
    }

    private void prefill(int... tokens) {
        try (Program program = Program.create(backend)) {
            program.embed(rows, embedding, hidden);
            program.lmHead(rows, true, hidden, lmHead, null, null, best, null);
            program.select(rows, best, selection);
            program.commit(null, rows, selection, null, hidden, VOCABULARY, uncommittedRows, uncommitted, false, null);
            batch.setPages(0, new int[] {3, 1});
            rows.setChain(0, tokens);
            program.run();
        }
    }

    @Test
    void aPrefillLeavesTheRootBehind() {
        assertEquals(0, batch.length(0));
        assertEquals(-1, batch.root(0));
        prefill(2, 3, 4);
        assertEquals(3, batch.length(0));
        assertEquals(5, batch.root(0));
        assertEquals(3, batch.nodes(0));
        assertEquals(0, batch.emitted(0));
        assertEquals(5, best.id(0, 0));
        assertEquals(6, best.id(0, 1));
        assertEquals(4f, best.value(0, 0));
        assertEquals(2f, best.value(0, 1));
        assertThrows(IndexOutOfBoundsException.class, () -> batch.token(0, 0));
        assertThrows(IndexOutOfBoundsException.class, () -> best.id(0, 2));
        assertThrows(IndexOutOfBoundsException.class, () -> best.id(64, 0));
    }

    @Test
    void aStepKeepsTheLongestPathThatTheBaseAgreesWith() {
        prefill(0);
        try (TreeTopology tree = TreeTopology.create(batch);
                PassRows levelRows = PassRows.create(batch, MAX_ROWS);
                TopK candidates = TopK.create(backend, 2, MAX_ROWS);
                Program program = Program.create(backend)) {
            tree.set(0, new int[] {-1, 0, 0, 2}, new int[] {0, 1, 0, 0});
            program.expand(tree, null, rows);
            program.draftStates(uncommittedRows, uncommitted, null, 0, VOCABULARY, states);
            for (int level = 0; level < 2; level++) {
                // The program keeps what is closed here.
                try (Buffer inputs = Buffer.floats(backend, MAX_ROWS * (level + 2L) * VOCABULARY);
                        Matrix head = matrix(1, level + 2)) {
                    program.draftInputs(tree, level, rows, states, VOCABULARY, embedding, levelRows, inputs);
                    program.lmHead(levelRows, false, inputs, head, null, null, candidates, null);
                    program.draftTokens(tree, level, candidates, -1, rows);
                }
            }
            program.mark();
            program.embed(rows, embedding, hidden);
            program.lmHead(rows, false, hidden, lmHead, null, null, best, null);
            program.select(rows, best, selection);
            program.judge(tree, rows, selection);
            program.commit(tree, rows, selection, pool, hidden, VOCABULARY, uncommittedRows, uncommitted, false, null);
            program.run();

            assertArrayEquals(new int[] {1, 3, 2, 3}, rows.tokens());
            assertEquals(4, batch.nodes(0));
            assertEquals(3, batch.emitted(0));
            assertArrayEquals(new int[] {1, 2, 3}, new int[] {batch.token(0, 0), batch.token(0, 1), batch.token(0, 2)});
            assertArrayEquals(
                    new int[] {0, 2, 3}, new int[] {batch.pathNode(0, 0), batch.pathNode(0, 1), batch.pathNode(0, 2)});
            assertEquals(4, batch.length(0));
            assertEquals(4, batch.root(0));
            assertEquals(3, uncommittedRows.count());
        }
    }

    @Test
    void typicalAcceptanceKeepsWhatIsLikelyEnough() {
        prefill(0);
        try (TreeTopology tree = TreeTopology.create(batch);
                Buffer tokens = Buffer.ints(backend, TreeTopology.MAX_NODES);
                Buffer logits = Buffer.floats(backend, 3L * VOCABULARY);
                Program program = Program.create(backend)) {
            tree.set(0, new int[] {-1, 0, 0}, new int[] {0, 1, 2});
            tokens.write(0, new int[] {1, 3, 4});
            float[] root = new float[VOCABULARY];
            root[2] = 11; // what the base would choose, which nobody has guessed
            root[3] = 9;
            root[4] = 10;
            logits.write(0, root);
            program.expand(tree, null, rows);
            program.setTokens(tokens, rows);
            program.embed(rows, embedding, hidden);
            program.lmHead(rows, true, hidden, lmHead, null, null, best, null);
            program.select(rows, best, selection);
            program.judgeTypical(tree, rows, logits, 3, VOCABULARY, 1, 0.09f, 0.3f);
            program.commit(tree, rows, selection, pool, hidden, VOCABULARY, uncommittedRows, uncommitted, false, null);
            program.run();

            assertEquals(2, batch.emitted(0));
            assertEquals(2, batch.pathNode(0, 1));
            assertEquals(4, batch.token(0, 1));
        }
    }

    @Test
    void measuresTheTimeBetweenMarks() {
        try (Program program = Program.create(backend)) {
            assertEquals(2, program.marks());
            program.embed(rows, embedding, hidden);
            program.mark();
            program.run();
            assertEquals(3, program.marks());
            assertEquals(program.nanos(0, 2), program.nanos(0, 1) + program.nanos(1, 2));
            assertTrue(program.nanos(0, 1) >= 0 && program.nanos(1, 2) >= 0);
            assertThrows(IndexOutOfBoundsException.class, () -> program.time(3));
        }
    }

    @Test
    void goesBackToFewerPositions() {
        prefill(2, 3, 4);
        batch.rewind(0, 1, 7);
        assertEquals(1, batch.length(0));
        assertEquals(7, batch.root(0));
        assertThrows(NativeException.class, () -> batch.rewind(0, 2, 7));
    }

    @Test
    void refusesWhatCannotBeRecordedOrRun() {
        try (Program program = Program.create(backend);
                Buffer small = Buffer.floats(backend, 3)) {
            NativeException exception =
                    assertThrows(NativeException.class, () -> program.embed(rows, embedding, small));
            assertEquals(NativeException.Status.INVALID_ARGUMENT, exception.status());
            program.embed(rows, embedding, hidden);
            rows.setChain(0, new int[] {VOCABULARY});
            batch.setPages(0, new int[] {0});
            assertThrows(NativeException.class, program::run);
        }
        assertThrows(NativeException.class, () -> rows.setChain(0, new int[0]));
        assertThrows(NativeException.class, () -> rows.setChain(0, new int[MAX_ROWS + 1]));
        assertThrows(NativeException.class, () -> batch.setPages(0, new int[5]));
        assertThrows(NativeException.class, () -> TopK.create(backend, TopK.MAX_K + 1, 1));
        assertThrows(IllegalArgumentException.class, () -> Rope.create(backend, 8, new float[3], 16));
        try (TreeTopology tree = TreeTopology.create(batch)) {
            assertThrows(IllegalArgumentException.class, () -> tree.set(0, new int[] {-1, 0}, new int[] {0}));
            assertThrows(NativeException.class, () -> tree.set(0, new int[] {-1, 1}, new int[] {0, 0}));
        }
    }
}
