package io.hydra4j.decode;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.decode.access.Sessions;
import io.hydra4j.golden.Loaded;
import io.hydra4j.golden.Original;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** When and how sessions take options of sampling. */
class SamplingSessionsTest {
    private static final Sampling SAMPLING = Sampling.of(0.8f, 3);
    private static final Sampling UNKNOWN_TOKEN = SAMPLING.withLogitBias(Map.of(100_000, 1f));

    private static Loaded loaded;

    @BeforeAll
    static void open() {
        loaded = Loaded.open(Original.base(), null, null);
    }

    @AfterAll
    static void close() {
        loaded.close();
    }

    private static Session session(SessionOptions options) {
        return Sessions.session(loaded.base(), null, options);
    }

    private static BatchSession batch(BatchOptions options) {
        return Sessions.batch(loaded.base(), null, options);
    }

    private static void assertUnknownToken(Runnable call) {
        String message = assertThrows(IllegalArgumentException.class, call::run).getMessage();
        assertTrue(message.startsWith("logitBias is given for token 100000, which is outside the vocabulary"), message);
    }

    @Test
    void aSessionThatWasNotMadeForItSaysHow() {
        try (Session session = session(SessionOptions.of(Tree.ROOT))) {
            assertEquals(Sampling.GREEDY, session.sampling());
            String message = assertThrows(IllegalStateException.class, () -> session.setSampling(SAMPLING))
                    .getMessage();
            assertTrue(message.contains("make it with SessionOptions.withSampling(Sampling.GREEDY)"), message);
        }
        try (BatchSession batch = batch(BatchOptions.of(2, Tree.ROOT))) {
            assertEquals(Sampling.GREEDY, batch.sampling(1));
            String message = assertThrows(IllegalStateException.class, () -> batch.setSampling(1, SAMPLING))
                    .getMessage();
            assertTrue(message.contains("make it with BatchOptions.withSampling(Sampling.GREEDY)"), message);
        }
    }

    @Test
    void optionsForTokensThatTheModelDoesNotHaveAreRefusedAndChangeNothing() {
        assertUnknownToken(() -> session(SessionOptions.of(Tree.ROOT).withSampling(UNKNOWN_TOKEN)));
        assertUnknownToken(() -> batch(BatchOptions.of(2, Tree.ROOT).withSampling(UNKNOWN_TOKEN)));
        try (Session session = session(SessionOptions.of(Tree.ROOT).withSampling(SAMPLING))) {
            assertUnknownToken(() -> session.setSampling(UNKNOWN_TOKEN));
            assertThrows(NullPointerException.class, () -> session.setSampling(null));
            assertEquals(SAMPLING, session.sampling());
        }
        try (BatchSession batch = batch(BatchOptions.of(2, Tree.ROOT).withSampling(SAMPLING))) {
            assertUnknownToken(() -> batch.setSampling(0, UNKNOWN_TOKEN));
            assertThrows(IllegalArgumentException.class, () -> batch.setSampling(2, SAMPLING));
            assertThrows(NullPointerException.class, () -> batch.setSampling(0, null));
            assertEquals(SAMPLING, batch.sampling(0));
        }
    }

    @Test
    void optionsDoNotChangeWithinAStep() {
        try (Session session = session(SessionOptions.of(Tree.ROOT).withSampling(SAMPLING))) {
            session.prefill(1, 2, 3);
            session.draft();
            assertThrows(IllegalStateException.class, () -> session.setSampling(Sampling.GREEDY));
            session.verify();
            assertThrows(IllegalStateException.class, () -> session.setSampling(Sampling.GREEDY));
            session.accept();
            session.setSampling(Sampling.GREEDY);
            assertEquals(Sampling.GREEDY, session.sampling());
        }
    }

    @Test
    void eachSequenceKeepsItsOwnWhenItIsCleared() {
        try (BatchSession batch = batch(BatchOptions.of(2, Tree.ROOT).withSampling(SAMPLING))) {
            batch.setSampling(1, Sampling.GREEDY);
            batch.prefill(1, 1, 2, 3);
            batch.step();
            batch.clear(1);
            assertEquals(SAMPLING, batch.sampling(0));
            assertEquals(Sampling.GREEDY, batch.sampling(1));
        }
    }

    @Test
    void optionsOfSessionsAreKeptByTheOthers() {
        SessionOptions session =
                SessionOptions.of(Tree.ROOT).withSampling(SAMPLING).withLogProbabilities(3);
        SessionOptions changed = session.withTree(Tree.chain(2))
                .withMaxPositions(9)
                .withCandidates(2)
                .withLogits();
        assertEquals(Optional.of(SAMPLING), changed.sampling());
        assertEquals(3, changed.logProbabilities().orElseThrow());
        BatchOptions batch =
                BatchOptions.of(2, Tree.ROOT).withSampling(SAMPLING).withLogProbabilities(3);
        BatchOptions other = batch.withTree(Tree.chain(2))
                .withMaxPositions(9)
                .withNodes(4)
                .withCandidates(2)
                .withPrefillTokens(5)
                .withLogits();
        assertEquals(Optional.of(SAMPLING), other.sampling());
        assertEquals(3, other.logProbabilities().orElseThrow());
        assertEquals(
                BatchOptions.of(2, Tree.chain(2))
                        .withMaxPositions(9)
                        .withNodes(4)
                        .withCandidates(2)
                        .withPrefillTokens(5)
                        .withLogits()
                        .withLogProbabilities(3)
                        .withSampling(SAMPLING),
                other);
    }
}
