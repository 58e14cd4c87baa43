package io.hydra4j.decode;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.GenerationOptions;
import io.hydra4j.GenerationResult;
import io.hydra4j.HydraModel;
import io.hydra4j.OpenOptions;
import io.hydra4j.Speculation;
import io.hydra4j.decode.access.Sessions;
import io.hydra4j.golden.Loaded;
import io.hydra4j.golden.Original;
import io.hydra4j.runtime.BackendKind;
import java.util.Arrays;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Guesses that are kept as they are likely enough; what the original code keeps is a golden test. */
class TypicalAcceptanceTest {
    private static final int TOKENS = 60;
    private static final Acceptance TYPICAL = Acceptance.typical();
    private static Loaded loaded;

    @BeforeAll
    static void load() {
        loaded = Loaded.open(Original.base(), Original.heads("hydra-plus-plus"), null);
    }

    @AfterAll
    static void close() {
        loaded.close();
    }

    private static int[] prompt(int number, int length) {
        return Arrays.copyOf(BitIdentity.bytePrompts().get(number), length);
    }

    /** The first tokens after a prompt. */
    private static int[] decode(Session session) {
        session.prefill(prompt(0, 30));
        while (session.length() < 30 + TOKENS) {
            session.step();
        }
        return Arrays.copyOfRange(session.tokens(), 30, 30 + TOKENS);
    }

    @Test
    void itKeepsMoreThanExactAcceptanceAndChangesTheText() {
        try (Session exact = loaded.session(BitIdentity.tree(64));
                Session typical = loaded.session(BitIdentity.tree(64), TYPICAL)) {
            assertFalse(Arrays.equals(decode(exact), decode(typical)));
            double kept = typical.statistics().acceptanceLength();
            assertTrue(kept > exact.statistics().acceptanceLength(), "tokens a step: " + kept);
        }
    }

    /** With nothing but what is nearly certain the text is that of plain decoding. */
    @Test
    void itKeepsOnlyTheBestWhereTheTemperatureIsLow() {
        try (Session plain = loaded.session(Tree.ROOT);
                Session typical = loaded.session(BitIdentity.tree(64), TYPICAL.withTemperature(1e-6f))) {
            assertArrayEquals(decode(plain), decode(typical));
            assertTrue(typical.statistics().acceptanceLength() > 1.5);
        }
    }

    @Test
    void aTreeOfItsRootIsPlainDecoding() {
        try (Session plain = loaded.session(Tree.ROOT);
                Session typical = loaded.session(Tree.ROOT, TYPICAL)) {
            assertArrayEquals(decode(plain), decode(typical));
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 7, 64})
    void eachSequenceOfABatchKeepsWhatItKeepsAlone(int nodes) {
        BatchOptions options = BatchOptions.of(4, BitIdentity.tree(nodes))
                .withPrefillTokens(16)
                .withAcceptance(TYPICAL);
        try (Twins twins = new Twins(loaded, options)) {
            twins.prefill(0, prompt(0, 40));
            twins.prefill(2, prompt(2, 11));
            twins.steps(4);
            twins.enqueue(1, prompt(1, 70)); // beside the trees of the others
            twins.steps(8);
            twins.enqueue(3, prompt(3, 5));
            twins.clear(0);
            twins.steps(6);
        }
    }

    @Test
    void theThreePartsMakeAStep() {
        try (Session whole = loaded.session(BitIdentity.tree(64), TYPICAL);
                Session parts = loaded.session(BitIdentity.tree(64), TYPICAL)) {
            whole.prefill(prompt(0, 30));
            parts.prefill(prompt(0, 30));
            for (int i = 0; i < 12; i++) {
                Tree tree = BitIdentity.tree(i % 4 == 3 ? 1 : 64);
                whole.setTree(tree);
                parts.setTree(tree);
                Step expected = whole.step();
                assertArrayEquals(whole.nodeTokens(), parts.draft());
                parts.verify();
                assertEquals(expected, parts.accept());
                assertEquals(whole.root(), parts.root());
            }
            assertArrayEquals(whole.tokens(), parts.tokens());
        }
    }

    @Test
    void tokensOfTheCallersOwnAreRefused() {
        try (Session session = loaded.session(Tree.DEFAULT, TYPICAL);
                BatchSession batch = Sessions.batch(
                        loaded.base(),
                        loaded.heads(),
                        BatchOptions.of(1, Tree.DEFAULT).withAcceptance(TYPICAL))) {
            session.prefill(1, 2, 3);
            session.draft();
            int[] selected = session.verify();
            assertRefused("Acceptance.exact()", () -> session.accept(selected));
            session.accept();
            batch.prefill(0, 1, 2, 3);
            batch.draft();
            int[][] ofAll = batch.verify();
            assertRefused("Acceptance.exact()", () -> batch.accept(ofAll));
            assertEquals(session.length(), 3 + batch.accept()[0].emitted());
        }
    }

    @Test
    void theLogitsThatItKeepsAreNotTheCallers() {
        try (Session session = Sessions.session(
                loaded.base(), loaded.heads(), SessionOptions.of(Tree.DEFAULT).withAcceptance(TYPICAL))) {
            session.prefill(1, 2, 3);
            session.step();
            assertRefused("SessionOptions.withLogits()", () -> session.logits(0));
        }
    }

    @Test
    void generationsTakeIt() {
        GenerationOptions options =
                GenerationOptions.DEFAULT.withMaxTokens(TOKENS).withIgnoreEnd(true);
        OpenOptions opening = OpenOptions.DEFAULT
                .withHeads(Original.heads("hydra-plus-plus"))
                .withBackend(BackendKind.CPU)
                .withThreads(1);
        try (HydraModel model = HydraModel.open(Original.base(), opening);
                Session session = loaded.session(BitIdentity.tree(64), TYPICAL)) {
            int[] expected = decode(session);
            int[] prompt = prompt(0, 30);
            GenerationOptions typical = options.withAcceptance(TYPICAL);
            GenerationResult result = model.generate(prompt, typical.withTree(BitIdentity.tree(64)));
            assertArrayEquals(expected, result.ids());
            assertTrue(result.acceptanceLength() > 1.5);
            int[] plain = model.generate(prompt, options.withSpeculation(Speculation.OFF))
                    .ids();
            GenerationResult off = model.generate(prompt, typical.withSpeculation(Speculation.OFF));
            assertArrayEquals(plain, off.ids());
            // What a typical generation has kept teaches nothing to those that are exact.
            for (int i = 0; i < 3; i++) {
                assertEquals(TOKENS, model.generate(prompt, typical).ids().length);
                assertArrayEquals(plain, model.generate(prompt, options).ids());
            }
        }
    }

    @Test
    void aSessionThatIsGreedyStaysSo() {
        SessionOptions options =
                SessionOptions.of(Tree.DEFAULT).withSampling(Sampling.GREEDY).withAcceptance(TYPICAL);
        try (Session session = Sessions.session(loaded.base(), loaded.heads(), options)) {
            session.setSampling(Sampling.GREEDY);
            assertThrows(IllegalArgumentException.class, () -> session.setSampling(Sampling.of(1, 5)));
        }
    }

    /** Each of what was emitted, not of what plain decoding would have. */
    @Test
    void logProbabilitiesAreThoseOfTheGuessesThatWereKept() {
        SessionOptions options = SessionOptions.of(BitIdentity.tree(64))
                .withLogits()
                .withLogProbabilities(2)
                .withAcceptance(TYPICAL);
        try (Session session = Sessions.session(loaded.base(), loaded.heads(), options)) {
            session.prefill(prompt(0, 30));
            int others = 0;
            for (int i = 0; i < 20; i++) {
                Step step = session.step();
                for (int n = 1; n < step.emitted(); n++) {
                    float[] logits = session.logits(step.path()[n - 1]);
                    double sum = 0;
                    for (float logit : logits) {
                        sum += Math.exp(logit);
                    }
                    TokenLogProbability chosen = step.logProbabilities().get(n).chosen();
                    int token = step.tokens()[n];
                    assertEquals(token, chosen.token());
                    assertEquals(logits[token] - Math.log(sum), chosen.logProbability(), 1e-4);
                    others +=
                            token == step.logProbabilities().get(n).top().get(0).token() ? 0 : 1;
                }
            }
            assertTrue(others > 0, "all that was kept was the best");
        }
    }

    private static void assertRefused(String part, Runnable call) {
        String message = assertThrows(IllegalStateException.class, call::run).getMessage();
        assertTrue(message.contains(part), message);
    }
}
