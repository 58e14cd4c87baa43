package io.hydra4j.decode;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.decode.access.Sessions;
import io.hydra4j.draft.Drafter;
import io.hydra4j.golden.Loaded;
import io.hydra4j.golden.Original;
import java.nio.IntBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Sessions with drafters that are no heads: whatever is guessed, what is emitted is what plain decoding emits. */
class DrafterTest {
    private static final int TOKENS = 60;

    private static Loaded loaded;
    private static List<int[]> prompts;
    private static final List<int[]> PLAIN = new ArrayList<>();

    @BeforeAll
    static void load() {
        loaded = Loaded.open(Original.base(), null, null);
        prompts = BitIdentity.bytePrompts().subList(0, 4);
        try (Session session = Sessions.session(loaded.base(), null, SessionOptions.of(Tree.ROOT))) {
            for (int[] prompt : prompts) {
                session.rewind(0);
                session.prefill(prompt);
                PLAIN.add(continuation(session, prompt.length));
            }
        }
    }

    @AfterAll
    static void close() {
        loaded.close();
    }

    private static int[] continuation(Session session, int from) {
        while (session.length() < from + TOKENS) {
            session.step();
        }
        return Arrays.copyOfRange(session.tokens(), from, from + TOKENS);
    }

    private static Session session(Drafter drafter, int depth) {
        return Sessions.session(loaded.base(), drafter, SessionOptions.of(Tree.chain(depth)));
    }

    /** The text that plain decoding of a prompt gives, as far as it was recorded. */
    private static int oracle(int prompt, IntBuffer text, int[] chain, int depth) {
        int known = text.remaining() - prompts.get(prompt).length;
        int count = Math.min(depth, TOKENS - known);
        System.arraycopy(PLAIN.get(prompt), known, chain, 0, Math.max(0, count));
        return Math.max(0, count);
    }

    @Test
    void aDrafterThatKnowsTheTextHasAllOfItAccepted() {
        try (Session session =
                session(new ChainDrafter(9, (s, text, chain, depth) -> oracle(0, text, chain, depth)), 9)) {
            session.prefill(prompts.get(0));
            session.resetStatistics();
            assertArrayEquals(PLAIN.get(0), continuation(session, prompts.get(0).length));
            assertEquals(TOKENS / 10, session.statistics().steps());
            assertEquals(TOKENS, session.statistics().tokens());
        }
    }

    @Test
    void aDrafterThatAlwaysGuessesTheSameChangesNothing() {
        Drafter same = new ChainDrafter(5, (s, text, chain, depth) -> {
            Arrays.fill(chain, ' ');
            return depth;
        });
        try (Session session = session(same, 5)) {
            for (int i = 0; i < prompts.size(); i++) {
                session.rewind(0);
                session.prefill(prompts.get(i));
                assertArrayEquals(PLAIN.get(i), continuation(session, prompts.get(i).length));
            }
            assertEquals(6 * session.statistics().steps(), session.statistics().nodes());
        }
    }

    @Test
    void aStepIsCutToWhatIsGuessed() {
        Drafter none = new ChainDrafter(5, (s, text, chain, depth) -> text.remaining() % 3);
        try (Session session = session(none, 5)) {
            session.prefill(prompts.get(0));
            for (int i = 0; i < 12; i++) {
                int guesses = (session.length() + 1) % 3;
                assertEquals(1 + guesses, session.step().nodes());
            }
        }
    }

    @Test
    void eachSequenceOfABatchHasItsOwnGuesses() {
        Drafter oracle = new ChainDrafter(4, DrafterTest::oracle);
        try (BatchSession session =
                Sessions.batch(loaded.base(), oracle, BatchOptions.of(prompts.size(), Tree.chain(4)))) {
            Map<Integer, int[]> all = new LinkedHashMap<>();
            for (int s = 0; s < prompts.size(); s++) {
                all.put(s, prompts.get(s));
            }
            session.prefill(all);
            session.resetStatistics();
            for (int step = 0; step < TOKENS / 5; step++) {
                session.step();
            }
            for (int s = 0; s < prompts.size(); s++) {
                int from = prompts.get(s).length;
                assertArrayEquals(PLAIN.get(s), Arrays.copyOfRange(session.tokens(s), from, from + TOKENS));
            }
            assertEquals(
                    5.0,
                    (double) session.statistics().tokens()
                            / session.statistics().steps());
        }
    }

    @Test
    void aLookupFillsADynamicTreeNoDeeperThanItIsToGuess() {
        int[] phrase = prompts.get(0);
        int[] prompt = new int[3 * phrase.length];
        Arrays.setAll(prompt, i -> phrase[i % phrase.length]);
        int most = 0;
        try (Session session =
                Sessions.session(loaded.base(), Drafter.lookup(4), SessionOptions.of(Tree.dynamic(Tree.MAX_NODES)))) {
            session.prefill(prompt);
            for (int i = 0; i < 8; i++) {
                most = Math.max(most, session.step().nodes());
            }
        }
        assertEquals(5, most);
    }

    @Test
    void aTreeThatTheDrafterCannotFillIsRefused() {
        Drafter lookup = Drafter.lookup(4);
        assertTrue(assertThrows(RuntimeException.class, () -> session(lookup, 5))
                .getMessage()
                .contains("the tree is 5 deep, the drafter fills 4 levels"));
        assertThrows(
                RuntimeException.class,
                () -> Sessions.session(
                        loaded.base(), lookup, SessionOptions.of(Tree.of(List.of(List.of(0), List.of(1))))));
        assertThrows(IllegalArgumentException.class, () -> Drafter.lookup(0));
        assertThrows(IllegalArgumentException.class, () -> Drafter.lookup(64));
    }
}
