package io.hydra4j.decode;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.decode.access.Sessions;
import io.hydra4j.golden.Loaded;
import io.hydra4j.golden.Logits;
import io.hydra4j.golden.Original;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What steps tell of the likelihood of their tokens: that of the logits as they are, whatever the tree and the sampling. */
class LogProbabilitiesTest {
    private static final int TOP = 5;

    private static Loaded loaded;

    @BeforeAll
    static void open() {
        loaded = Loaded.open(Original.base(), Original.heads("hydra-plus-plus"), null);
    }

    @AfterAll
    static void close() {
        loaded.close();
    }

    private static Session session(SessionOptions options) {
        return Sessions.session(loaded.base(), loaded.heads(), options);
    }

    private static Stream<Sampling> samplings() {
        return Stream.of(
                Sampling.GREEDY, Sampling.of(1, 3), SampledText.options().get("all"));
    }

    private static int[] prompt(int i) {
        return BitIdentity.bytePrompts().get(i);
    }

    /** Those of plain decoding, each beside the logits. */
    private static List<LogProbabilities> plain(int[] prompt, Sampling sampling, int count) {
        SessionOptions options =
                SessionOptions.of(Tree.ROOT).withLogits().withSampling(sampling).withLogProbabilities(TOP);
        List<LogProbabilities> all = new ArrayList<>();
        try (Session session = session(options)) {
            float[][] rows = Logits.prefill(session, prompt);
            float[] logits = rows[rows.length - 1];
            for (int i = 0; i < count; i++) {
                Step step = session.step();
                LogProbabilities found = step.logProbabilities().get(0);
                assertEquals(1, step.logProbabilities().size());
                assertEquals(step.tokens()[0], found.chosen().token());
                assertMatches(logits, found);
                all.add(found);
                logits = session.logits(0);
            }
        }
        return all;
    }

    private static void assertMatches(float[] logits, LogProbabilities found) {
        assertClose(logits, found.chosen());
        assertEquals(TOP, found.top().size());
        for (int rank = 0; rank < TOP; rank++) {
            assertEquals(OwnSampler.token(logits, rank), found.top().get(rank).token());
            assertClose(logits, found.top().get(rank));
        }
    }

    private static void assertClose(float[] logits, TokenLogProbability found) {
        assertEquals(Logits.logProbability(logits, found.token()), found.logProbability(), 1e-5);
    }

    @ParameterizedTest
    @MethodSource("samplings")
    void aTreeTellsThoseOfPlainDecodingToTheBit(Sampling sampling) {
        for (int p = 0; p < 5; p++) {
            List<LogProbabilities> expected = plain(prompt(p), sampling, 24);
            SessionOptions options = SessionOptions.of(BitIdentity.tree(64)).withLogProbabilities(TOP);
            try (Session session = session(sampling.isGreedy() ? options : options.withSampling(sampling))) {
                session.prefill(prompt(p));
                List<LogProbabilities> found = new ArrayList<>();
                while (found.size() < expected.size()) {
                    if (found.size() % 2 == 0) {
                        found.addAll(session.step().logProbabilities());
                    } else {
                        session.draft();
                        session.verify();
                        found.addAll(session.accept().logProbabilities());
                    }
                }
                assertEquals(expected, found.subList(0, expected.size()));
                assertTrue(session.statistics().acceptanceLength() > 1.05);
            }
        }
    }

    /** Prompts before and beside steps, with a pause between. */
    @ParameterizedTest
    @MethodSource("samplings")
    void sequencesOfABatchTellThoseOfPlainDecodingToTheBit(Sampling sampling) {
        BatchOptions options =
                BatchOptions.of(3, BitIdentity.tree(16)).withPrefillTokens(20).withLogProbabilities(TOP);
        List<List<LogProbabilities>> found = List.of(new ArrayList<>(), new ArrayList<>(), new ArrayList<>());
        try (BatchSession batch = Sessions.batch(
                loaded.base(), loaded.heads(), sampling.isGreedy() ? options : options.withSampling(sampling))) {
            batch.prefill(0, prompt(0));
            batch.enqueuePrompt(1, prompt(1));
            batch.enqueuePrompt(2, prompt(2));
            for (int i = 0; found.stream().anyMatch(each -> each.size() < 20); i++) {
                if (i == 2) {
                    batch.pause(0);
                } else if (i == 5) {
                    batch.resume(0);
                }
                Step[] steps;
                if (i % 3 == 0) {
                    batch.draft();
                    batch.verify();
                    steps = batch.accept();
                } else {
                    steps = batch.step();
                }
                for (int s = 0; s < 3; s++) {
                    if (steps[s] != null) {
                        found.get(s).addAll(steps[s].logProbabilities());
                    }
                }
            }
        }
        for (int s = 0; s < 3; s++) {
            List<LogProbabilities> expected = plain(prompt(s), sampling, 20);
            assertEquals(expected, found.get(s).subList(0, 20), "sequence " + s);
        }
    }

    @Test
    void tokensOfTheCallersOwnHaveTheLikelihoodThatTheModelGivesThem() {
        SessionOptions options =
                SessionOptions.of(BitIdentity.tree(16)).withLogits().withLogProbabilities(2);
        try (Session session = session(options)) {
            float[][] rows = Logits.prefill(session, prompt(0));
            float[] logits = rows[rows.length - 1];
            session.setRoot(OwnSampler.token(logits, 1));
            session.draft();
            int[] selected = session.verify();
            float[] afterRoot = session.logits(0);
            int third = OwnSampler.token(afterRoot, 2);
            selected[0] = third;
            Step first = session.accept(selected);
            assertClose(logits, first.logProbabilities().get(0).chosen());

            Step second = session.step();

            if (first.emitted() == 1) {
                assertEquals(third, second.tokens()[0]);
            }
            int last = first.emitted() > 1 ? 1 : 0;
            TokenLogProbability own = (last == 1
                            ? first.logProbabilities().get(1)
                            : second.logProbabilities().get(0))
                    .chosen();
            assertEquals(third, own.token());
            assertClose(afterRoot, own);
        }
    }

    @Test
    void aRootOfTheCallersOwnIsKnownAmongTheBestAlone() {
        try (Session session = session(SessionOptions.of(Tree.ROOT).withLogits().withLogProbabilities(2))) {
            float[][] rows = Logits.prefill(session, prompt(0));
            session.setRoot(OwnSampler.token(rows[rows.length - 1], 2));

            LogProbabilities found = session.step().logProbabilities().get(0);

            assertEquals(
                    OwnSampler.token(rows[rows.length - 1], 2), found.chosen().token());
            assertTrue(Float.isNaN(found.chosen().logProbability()));
            assertEquals(2, found.top().size());
        }
    }

    @Test
    void noneOfTheBestAreToldWhereNoneAreAskedFor() {
        try (Session session = session(SessionOptions.of(Tree.ROOT).withLogProbabilities(0))) {
            session.prefill(prompt(0));
            LogProbabilities found = session.step().logProbabilities().get(0);
            assertTrue(found.top().isEmpty());
            assertTrue(found.chosen().logProbability() <= 0);
        }
        try (Session session = session(SessionOptions.of(Tree.ROOT))) {
            session.prefill(prompt(0));
            assertTrue(session.step().logProbabilities().isEmpty());
        }
    }

    @Test
    void moreThanTwentyAreRefused() {
        for (int top : new int[] {-1, 21}) {
            String message = assertThrows(IllegalArgumentException.class, () -> SessionOptions.of(Tree.ROOT)
                            .withLogProbabilities(top))
                    .getMessage();
            assertEquals("logProbabilities is " + top + ": give 0 to 20", message);
            assertThrows(IllegalArgumentException.class, () -> BatchOptions.of(1, Tree.ROOT)
                    .withLogProbabilities(top));
        }
        assertEquals(
                20,
                SessionOptions.of(Tree.ROOT)
                        .withLogProbabilities(20)
                        .logProbabilities()
                        .orElseThrow());
        assertFalse(SessionOptions.of(Tree.ROOT).logProbabilities().isPresent());
    }

    @Test
    void aStepHasThemOfEachTokenOrOfNone() {
        LogProbabilities one = new LogProbabilities(new TokenLogProbability(1, -1), List.of());
        int[] two = IntStream.range(0, 2).toArray();

        assertEquals(
                2, new Step(two, two, 2, List.of(one, one)).logProbabilities().size());
        assertThrows(IllegalArgumentException.class, () -> new Step(two, two, 2, List.of(one)));
    }
}
