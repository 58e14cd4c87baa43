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

/** Draft, verify and accept apart, and tokens that the loop selects for itself. */
class StepInPartsTest {
    private static final int LENGTH = 40;

    private static Session session(Loaded loaded, Tree tree) {
        return Sessions.session(
                loaded.base(), loaded.heads(), SessionOptions.of(tree).withLogits());
    }

    private static Loaded open(String heads) {
        return Loaded.open(Original.base(), Original.heads(heads), null);
    }

    private static int[] prompt(int length) {
        return Arrays.copyOf(BitIdentity.bytePrompts().get(0), length);
    }

    @ParameterizedTest
    @CsvSource({"hydra-ungrounded, 16", "hydra, 64", "hydra-plus-plus, 64", "hydra-plus-plus, 1"})
    void theThreePartsMakeAStep(String heads, int nodes) {
        try (Loaded loaded = open(heads);
                Session whole = session(loaded, BitIdentity.tree(nodes));
                Session parts = session(loaded, BitIdentity.tree(nodes))) {
            whole.prefill(prompt(30));
            parts.prefill(prompt(30));
            for (int i = 0; i < 12; i++) {
                // Those with a draft and those without follow each other as they like.
                Tree tree = BitIdentity.tree(i % 4 == 3 ? 1 : nodes);
                whole.setTree(tree);
                parts.setTree(tree);
                Step expected = whole.step();
                int[] tokens = parts.draft();
                assertArrayEquals(whole.nodeTokens(), tokens);
                int[] selected = parts.verify();
                assertEquals(tokens.length, selected.length);
                for (int node = 0; node < tokens.length; node++) {
                    assertArrayEquals(whole.logits(node), parts.logits(node));
                    assertEquals(best(parts.logits(node), 0), selected[node]);
                }
                assertEquals(expected, i % 2 == 0 ? parts.accept() : parts.accept(selected));
                assertEquals(whole.root(), parts.root());
            }
            assertArrayEquals(whole.tokens(), parts.tokens());
            SessionStatistics statistics = parts.statistics();
            assertEquals(whole.statistics().tokens(), statistics.tokens());
            assertEquals(12, statistics.passes());
            assertTrue(statistics.draftNanos() > 0 && statistics.verifyNanos() > 0 && statistics.acceptNanos() > 0);
        }
    }

    /** A sampler that always takes the second best: with guesses the text is that of the same sampler token by token. */
    @ParameterizedTest
    @ValueSource(strings = {"hydra-ungrounded", "hydra", "hydra-plus-plus"})
    void anOwnSamplerEmitsWhatItEmitsTokenByToken(String heads) {
        try (Loaded loaded = open(heads);
                Session plain = session(loaded, Tree.ROOT);
                Session guessing = session(loaded, BitIdentity.tree(64))) {
            OwnSampler.Result expected = OwnSampler.run(plain, prompt(30), LENGTH);
            OwnSampler.Result found = OwnSampler.run(guessing, prompt(30), LENGTH);
            assertArrayEquals(expected.tokens(), found.tokens());
            assertEquals(LENGTH, expected.steps());
            assertTrue(found.steps() < LENGTH, "no second best token was guessed in " + found.steps() + " steps");
        }
    }

    private static int best(float[] logits, int rank) {
        return OwnSampler.token(logits, rank);
    }

    @Test
    void partsOutOfTurnAreRefused() {
        try (Loaded loaded = open("hydra-plus-plus");
                Session session = session(loaded, BitIdentity.tree(16))) {
            assertThrows(IllegalStateException.class, session::draft);
            assertThrows(IllegalStateException.class, () -> session.setRoot(1));
            session.prefill(prompt(20));
            assertThrows(IllegalStateException.class, session::verify);
            assertThrows(IllegalStateException.class, session::accept);
            assertThrows(IllegalArgumentException.class, () -> session.setRoot(-1));
            session.draft();
            assertThrows(IllegalStateException.class, session::draft);
            assertThrows(IllegalStateException.class, session::step);
            assertThrows(IllegalStateException.class, () -> session.setRoot(1));
            assertThrows(IllegalStateException.class, session::accept);
            int[] selected = session.verify();
            assertThrows(IllegalStateException.class, session::verify);
            assertThrows(IllegalArgumentException.class, () -> session.accept(Arrays.copyOf(selected, 15)));
            selected[15] = 260;
            assertThrows(IllegalArgumentException.class, () -> session.accept(selected));
            session.accept();
            // Going back or a prompt leaves a step.
            session.draft();
            session.rewind(10);
            session.prefill(prompt(10));
            session.draft();
            session.verify();
            session.prefill(prompt(3));
            session.step();
        }
    }

    @Test
    void noSelectedTokensAreTooFew() {
        try (Loaded loaded = open("hydra");
                Session session = session(loaded, BitIdentity.tree(16))) {
            session.prefill(prompt(30));
            session.draft();
            session.verify();
            IllegalArgumentException refused =
                    assertThrows(IllegalArgumentException.class, () -> session.accept(new int[0]));
            assertEquals("0 selected tokens for 16 nodes", refused.getMessage());
        }
    }
}
