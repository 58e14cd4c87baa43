package io.hydra4j.decode;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.decode.access.Sessions;
import io.hydra4j.golden.Loaded;
import io.hydra4j.golden.Original;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Steps that are enqueued before the host has seen what the one before has emitted. */
class StepsAheadTest {
    private static Session session(Loaded loaded, int nodes) {
        return Sessions.session(loaded.base(), loaded.heads(), SessionOptions.of(BitIdentity.tree(nodes)));
    }

    private static Loaded open(String heads) {
        return Loaded.open(Original.base(), Original.heads(heads), null);
    }

    private static int[] prompt(int length) {
        return Arrays.copyOf(BitIdentity.bytePrompts().get(0), length);
    }

    private static void assertSame(Session expected, Session found) {
        assertArrayEquals(expected.tokens(), found.tokens());
        assertEquals(expected.root(), found.root());
    }

    /** Trees change after steps that end what runs ahead; more of them without a draft than what may wait for the prefix layer. */
    @ParameterizedTest
    @CsvSource({"hydra-ungrounded, 16", "hydra-plus-plus, 16"})
    void emitWhatStepsOneAfterAnotherEmit(String heads, int nodes) {
        try (Loaded loaded = open(heads);
                Session expected = session(loaded, nodes);
                Session ahead = session(loaded, nodes)) {
            expected.prefill(prompt(30));
            ahead.prefill(prompt(30));
            ahead.reserve(250);
            for (int i = 0; i < 90; i++) {
                boolean plain = i >= 8 && i < 82;
                if (i == 8 || i == 82) {
                    expected.setTree(BitIdentity.tree(plain ? 1 : nodes));
                    ahead.setTree(BitIdentity.tree(plain ? 1 : nodes));
                }
                boolean ends = i == 7 || i == 81 || i == 89;
                assertEquals(expected.step(), ends ? ahead.step() : ahead.stepAhead());
                assertSame(expected, ahead);
            }
            SessionStatistics statistics = ahead.statistics();
            assertEquals(expected.statistics().tokens(), statistics.tokens());
            assertEquals(90, statistics.passes());
            assertTrue(statistics.verifyNanos() > 0);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 16})
    void areTakenBackByAPromptAndByGoingBack(int nodes) {
        try (Loaded loaded = open("hydra-plus-plus");
                Session expected = session(loaded, nodes);
                Session ahead = session(loaded, nodes)) {
            expected.prefill(prompt(30));
            ahead.prefill(prompt(30));
            for (int turn = 0; turn < 4; turn++) {
                for (int i = 0; i < 3; i++) {
                    assertEquals(expected.step(), ahead.stepAhead());
                }
                if (turn % 2 == 1) {
                    int length = expected.length() - 2;
                    expected.rewind(length);
                    ahead.rewind(length);
                    assertEquals(length, ahead.length());
                    assertEquals(-1, ahead.root());
                }
                expected.prefill(prompt(5));
                ahead.prefill(prompt(5));
                assertSame(expected, ahead);
            }
            assertEquals(expected.step(), ahead.step());
        }
    }

    @Test
    void endWithTheContext() {
        try (Loaded loaded = open("hydra-plus-plus");
                Session expected = limited(loaded);
                Session ahead = limited(loaded)) {
            expected.prefill(prompt(30));
            ahead.prefill(prompt(30));
            while (expected.remainingContext() > 0) {
                assertEquals(expected.step(), ahead.stepAhead());
            }
            assertSame(expected, ahead);
            assertThrows(ContextFullException.class, ahead::stepAhead);
        }
    }

    private static Session limited(Loaded loaded) {
        return Sessions.session(
                loaded.base(),
                loaded.heads(),
                SessionOptions.of(BitIdentity.tree(16)).withMaxPositions(75));
    }

    @Test
    void keepWhatTheyReadFromChange() {
        try (Loaded loaded = open("hydra-plus-plus");
                Session session = session(loaded, 16)) {
            assertThrows(IllegalStateException.class, session::stepAhead);
            session.prefill(prompt(30));
            session.stepAhead();
            assertThrows(IllegalStateException.class, () -> session.setTree(Tree.ROOT));
            assertThrows(IllegalStateException.class, () -> session.setRoot(1));
            assertThrows(IllegalStateException.class, () -> session.reserve(60));
            assertThrows(IllegalStateException.class, session::draft);
            assertThrows(IllegalStateException.class, session::nodeTokens);
            session.step();
            session.setTree(Tree.ROOT);
            session.stepAhead();
        }
    }
}
