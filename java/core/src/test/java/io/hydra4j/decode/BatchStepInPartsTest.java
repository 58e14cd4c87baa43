package io.hydra4j.decode;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.decode.access.Sessions;
import io.hydra4j.golden.Loaded;
import io.hydra4j.golden.Original;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Draft, verify and accept of a batch apart, and tokens that the loop selects for itself. */
class BatchStepInPartsTest {
    private static final Map<String, Loaded> LOADED = new TreeMap<>();

    @BeforeAll
    static void load() {
        Original.HEADS.forEach(heads -> LOADED.put(heads, Loaded.open(Original.base(), Original.heads(heads), null)));
        LOADED.put("none", Loaded.open(Original.base(), null, null));
    }

    @AfterAll
    static void close() {
        LOADED.values().forEach(Loaded::close);
    }

    private static BatchSession batch(String heads, BatchOptions options) {
        Loaded loaded = LOADED.get(heads);
        return Sessions.batch(loaded.base(), loaded.heads(), options.withLogits());
    }

    private static int[] prompt(int number, int length) {
        return Arrays.copyOf(BitIdentity.bytePrompts().get(number), length);
    }

    /** Two batches that are told the same; one makes its steps at once, the other in parts. */
    private record Pair(BatchSession whole, BatchSession parts) {
        void both(Consumer<BatchSession> call) {
            call.accept(whole);
            call.accept(parts);
        }

        void steps(int count) {
            for (int i = 0; i < count; i++) {
                step(i % 2 == 0);
            }
        }

        private void step(boolean own) {
            Step[] expected = whole.step();
            int[][] drafted = parts.draft();
            int[][] selected = parts.verify();
            for (int s = 0; s < expected.length; s++) {
                if (expected[s] == null) {
                    assertNull(drafted[s]);
                    continue;
                }
                assertEquals(expected[s].nodes(), drafted[s].length);
                assertEquals(expected[s].nodes(), selected[s].length);
                for (int i = 0; i < expected[s].emitted(); i++) {
                    assertEquals(expected[s].tokens()[i], drafted[s][expected[s].path()[i]]);
                }
                for (int node = 0; node < selected[s].length; node++) {
                    assertArrayEquals(whole.logits(s, node), parts.logits(s, node));
                    assertEquals(OwnSampler.token(parts.logits(s, node), 0), selected[s][node]);
                }
            }
            assertArrayEquals(expected, own ? parts.accept(selected) : parts.accept());
            for (int s = 0; s < expected.length; s++) {
                assertEquals(whole.root(s), parts.root(s));
                assertEquals(whole.promptLeft(s), parts.promptLeft(s));
                assertArrayEquals(whole.tokens(s), parts.tokens(s));
                if (expected[s] == null && selected[s] != null) {
                    assertArrayEquals(new int[] {parts.root(s)}, selected[s]);
                    assertEquals(parts.root(s), OwnSampler.token(parts.logits(s, 0), 0));
                }
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"hydra-ungrounded", "hydra", "hydra-plus-plus"})
    void theThreePartsMakeAStepOfAllSequences(String heads) {
        BatchOptions options = BatchOptions.of(4, BitIdentity.tree(16))
                .withNodes(64)
                .withPrefillTokens(32)
                .withMaxPositions(150);
        try (BatchSession whole = batch(heads, options);
                BatchSession parts = batch(heads, options)) {
            Pair pair = new Pair(whole, parts);
            // Prompts alone, then beside trees, and one that nearly fills its sequence.
            pair.both(batch -> batch.enqueuePrompt(0, prompt(0, 40)));
            pair.steps(4);
            pair.both(batch -> {
                batch.enqueuePrompt(1, prompt(1, 70));
                batch.enqueuePrompt(2, prompt(2, 20));
                batch.prefill(3, prompt(3, 140));
            });
            pair.steps(5);
            pair.both(batch -> {
                batch.setTree(1, BitIdentity.tree(64));
                batch.setTree(2, Tree.ROOT);
                batch.pause(0);
            });
            pair.steps(4);
            pair.both(batch -> {
                batch.setTree(BitIdentity.tree(7));
                batch.resume(0);
                batch.clear(2);
                batch.enqueuePrompt(1, prompt(4, 5));
            });
            pair.steps(6);
            SessionStatistics statistics = parts.statistics();
            assertEquals(whole.statistics().promptTokens(), statistics.promptTokens());
            assertEquals(whole.statistics().passes(), statistics.passes());
            assertEquals(whole.statistics().plainPasses(), statistics.plainPasses());
            assertEquals(whole.statistics().nodes(), statistics.nodes());
            assertArrayEquals(whole.statistics().acceptedByDepth(), statistics.acceptedByDepth());
            assertTrue(statistics.acceptanceLength() > 1.2, "no guess was accepted: " + statistics);
            assertTrue(statistics.draftNanos() > 0 && statistics.verifyNanos() > 0 && statistics.acceptNanos() > 0);
        }
    }

    @Test
    void stepsOverPromptsAloneCountAsPrefill() {
        try (BatchSession batch =
                batch("hydra-plus-plus", BatchOptions.of(2, Tree.DEFAULT).withPrefillTokens(32))) {
            batch.enqueuePrompt(1, prompt(0, 40));
            int[][] drafted = batch.draft();
            assertArrayEquals(new int[2][], drafted);
            assertArrayEquals(new int[2][], batch.verify(), "more of the prompt follows");
            assertArrayEquals(new Step[2], batch.accept());
            assertEquals(32, batch.length(1));
            assertEquals(-1, batch.root(1));
            batch.draft();
            int[][] selected = batch.verify();
            batch.accept();
            assertEquals(selected[1][0], batch.root(1));
            SessionStatistics statistics = batch.statistics();
            assertEquals(40, statistics.promptTokens());
            assertEquals(0, statistics.passes() + statistics.stepNanos());
            assertTrue(statistics.prefillNanos() > 0);
        }
    }

    /** A sampler that always takes the second best: the texts are those of the same sampler token by token, one by one. */
    @ParameterizedTest
    @ValueSource(strings = {"hydra-ungrounded", "hydra", "hydra-plus-plus"})
    void anOwnSamplerEmitsOfEachSequenceWhatItEmitsTokenByToken(String heads) {
        int length = 30;
        int[][] prompts = {prompt(0, 30), prompt(1, 75), prompt(2, 3)};
        try (BatchSession batch = batch(
                heads, BatchOptions.of(3, BitIdentity.tree(16)).withNodes(64).withPrefillTokens(32))) {
            batch.setTree(1, BitIdentity.tree(64));
            OwnSampler.Results found = OwnSampler.run(batch, prompts, length);
            for (int s = 0; s < prompts.length; s++) {
                assertArrayEquals(plain(prompts[s], length), found.tokens()[s]);
            }
            assertTrue(found.steps() < 3 * length, "no second best token was guessed in " + found.steps() + " steps");
        }
    }

    private static int[] plain(int[] prompt, int length) {
        try (Session plain = Sessions.session(
                LOADED.get("none").base(), null, SessionOptions.of(Tree.ROOT).withLogits())) {
            return OwnSampler.run(plain, prompt, length).tokens();
        }
    }

    @Test
    void aReplacedRootIsEmittedNextAlsoByOneThatWasPaused() {
        try (BatchSession batch = batch("hydra", BatchOptions.of(2, BitIdentity.tree(7)))) {
            batch.prefill(Map.of(0, prompt(0, 20), 1, prompt(1, 20)));
            int[] own = {(batch.root(0) + 1) % 256, (batch.root(1) + 1) % 256};
            batch.pause(1);
            for (int s = 0; s < 2; s++) {
                assertNotEquals(own[s], batch.root(s));
                batch.setRoot(s, own[s]);
                assertEquals(own[s], batch.root(s));
            }
            assertEquals(own[0], batch.step()[0].tokens()[0]);
            batch.resume(1);
            assertEquals(own[1], batch.step()[1].tokens()[0]);
        }
    }

    @Test
    void sequencesThatAreAllFullMakeAStepOfNone() {
        try (BatchSession batch =
                batch("hydra", BatchOptions.of(2, BitIdentity.tree(7)).withMaxPositions(20))) {
            batch.prefill(1, prompt(0, 20));
            assertArrayEquals(new int[2][], batch.draft());
            int[][] selected = batch.verify();
            assertArrayEquals(new int[2][], selected);
            assertArrayEquals(new Step[2], batch.accept(selected));
            assertEquals(0, batch.statistics().passes());
        }
    }

    @Test
    void partsOutOfTurnAreRefused() {
        try (BatchSession batch = batch("hydra-plus-plus", BatchOptions.of(3, BitIdentity.tree(16)))) {
            assertRefused(batch::draft);
            assertRefused(() -> batch.setRoot(0, 1));
            batch.prefill(Map.of(0, prompt(0, 20), 2, prompt(1, 30)));
            assertRefused(batch::verify);
            assertRefused(batch::accept);
            assertThrows(IllegalArgumentException.class, () -> batch.setRoot(0, -1));
            assertThrows(IllegalArgumentException.class, () -> batch.setRoot(3, 1));
            batch.draft();
            assertThrows(IllegalArgumentException.class, () -> batch.logits(0, 0), "not verified yet");
            List<Executable> others = new ArrayList<>(List.of(
                    batch::draft,
                    batch::step,
                    () -> batch.setRoot(0, 1),
                    () -> batch.setTree(Tree.ROOT),
                    () -> batch.setTree(0, Tree.ROOT),
                    () -> batch.pause(0),
                    () -> batch.resume(0),
                    () -> batch.enqueuePrompt(1, 1)));
            others.forEach(BatchStepInPartsTest::assertRefused);
            assertRefused(batch::accept);
            int[][] selected = batch.verify();
            assertRefused(batch::verify);
            others.forEach(BatchStepInPartsTest::assertRefused);
            assertNull(selected[1]);
            assertWrong(batch, "2 sequences for a batch of 3", selected[0], selected[1]);
            assertWrong(batch, "15 selected tokens for sequence 2", selected[0], null, Arrays.copyOf(selected[2], 15));
            assertWrong(batch, "1 selected tokens for sequence 1", selected[0], new int[1], selected[2]);
            assertWrong(batch, "0 selected tokens for sequence 0", null, null, selected[2]);
            int[] outside = selected[2].clone();
            outside[15] = 260;
            assertWrong(batch, "token 260 at index 15", selected[0], null, outside);
            batch.accept();
        }
    }

    private static void assertRefused(Executable call) {
        assertThrows(IllegalStateException.class, call);
    }

    private static void assertWrong(BatchSession batch, String reason, int[]... selected) {
        IllegalArgumentException refused = assertThrows(IllegalArgumentException.class, () -> batch.accept(selected));
        assertTrue(refused.getMessage().contains(reason), refused.getMessage());
    }

    /** Whatever leaves a step, the others go on as if it had not begun. */
    @ParameterizedTest
    @ValueSource(strings = {"hydra-ungrounded", "hydra-plus-plus"})
    void aStepThatIsLeftHasNotBeen(String heads) {
        BatchOptions options = BatchOptions.of(3, BitIdentity.tree(16)).withPrefillTokens(32);
        List<Consumer<BatchSession>> leavings =
                List.of(batch -> batch.rewind(1, 10), batch -> batch.clear(1), batch -> batch.prefill(1, prompt(3, 5)));
        for (Consumer<BatchSession> leaving : leavings) {
            for (boolean verified : new boolean[] {false, true}) {
                try (BatchSession whole = batch(heads, options);
                        BatchSession parts = batch(heads, options)) {
                    Pair pair = new Pair(whole, parts);
                    pair.both(batch -> {
                        batch.prefill(Map.of(0, prompt(0, 40), 1, prompt(1, 20)));
                        batch.enqueuePrompt(2, prompt(2, 70));
                    });
                    pair.steps(1);
                    parts.draft();
                    if (verified) {
                        parts.verify();
                    }
                    pair.both(leaving);
                    pair.steps(6);
                }
            }
        }
    }
}
