package io.hydra4j.decode;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.KvPagesExhaustedException;
import io.hydra4j.decode.access.Sessions;
import io.hydra4j.golden.Loaded;
import io.hydra4j.golden.Original;
import io.hydra4j.model.KvPages;
import io.hydra4j.runtime.InstructionSet;
import io.hydra4j.runtime.KvPool;
import java.util.AbstractSet;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class BatchSessionTest {
    private static final Map<String, Loaded> LOADED = new TreeMap<>();
    private static final int[] LENGTHS = {3, 70, 130, 33, 64};

    @BeforeAll
    static void load() {
        for (String heads : Original.HEADS) {
            int threads = heads.equals("hydra") ? 2 : 1;
            LOADED.put(heads, Loaded.open(Original.base(), Original.heads(heads), null, threads, InstructionSet.AUTO));
        }
        LOADED.put("none", Loaded.open(Original.base(), null, null));
    }

    @AfterAll
    static void close() {
        LOADED.values().forEach(Loaded::close);
    }

    private static int[] prompt(int number, int length) {
        return Arrays.copyOf(BitIdentity.bytePrompts().get(number), length);
    }

    private static Map<Integer, int[]> prompts(int count) {
        Map<Integer, int[]> prompts = new LinkedHashMap<>();
        for (int s = 0; s < count; s++) {
            prompts.put(s, prompt(s, LENGTHS[s % LENGTHS.length]));
        }
        return prompts;
    }

    private static Stream<Arguments> headsAndNodes() {
        return Original.HEADS.stream()
                .flatMap(heads -> Stream.of(1, 2, 7, 16, 64).map(n -> Arguments.of(heads, n)));
    }

    @ParameterizedTest
    @MethodSource("headsAndNodes")
    void sequencesOfAllLengthsAreThoseOfSessionsOfTheirOwn(String heads, int nodes) {
        try (Twins twins = new Twins(LOADED.get(heads), BatchOptions.of(5, BitIdentity.tree(nodes)))) {
            prompts(5).forEach(twins::prefill);
            twins.steps(12);
            if (nodes >= 7) {
                twins.assertThatGuessesWereAccepted();
            }
        }
    }

    @Test
    void sequencesWithoutHeadsAreThoseOfSessionsOfTheirOwn() {
        try (Twins twins = new Twins(LOADED.get("none"), BatchOptions.of(5, Tree.ROOT))) {
            twins.prefill(prompts(5));
            twins.steps(40);
        }
    }

    private static Stream<Arguments> headsAndChunks() {
        return Original.HEADS.stream()
                .flatMap(heads -> Stream.of(0, 1, 7, 64, 65, 2048).map(chunk -> Arguments.of(heads, chunk)));
    }

    @ParameterizedTest
    @MethodSource("headsAndChunks")
    void promptsThatSharePassesOfAnySizeAreThoseOfSessionsOfTheirOwn(String heads, int chunk) {
        BatchOptions options = BatchOptions.of(5, BitIdentity.tree(16)).withPrefillTokens(chunk);
        try (Twins twins = new Twins(LOADED.get(heads), options)) {
            twins.prefill(prompts(5));
            twins.steps(4);
            // More of two conversations, while the others wait.
            twins.prefill(Map.of(3, prompt(7, 150), 1, prompt(8, 5)));
            twins.steps(4);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"hydra-ungrounded", "hydra", "hydra-plus-plus"})
    void sequencesJoinAndLeaveWithoutDisturbingTheOthers(String heads) {
        try (Twins twins = new Twins(LOADED.get(heads), BatchOptions.of(4, Tree.DEFAULT))) {
            twins.prefill(2, prompt(0, 50));
            twins.steps(3);
            twins.prefill(Map.of(0, prompt(1, 20), 3, prompt(2, 90)));
            twins.steps(3);
            twins.batch().pause(2);
            twins.batch().pause(2);
            assertFalse(twins.batch().takesPart(2));
            twins.steps(2);
            twins.clear(3);
            assertEquals(0, twins.batch().length(3));
            assertEquals(-1, twins.batch().root(3));
            twins.steps(1);
            twins.batch().resume(2);
            twins.batch().resume(2);
            assertTrue(twins.batch().takesPart(2));
            twins.steps(3);
            twins.prefill(3, prompt(3, 64));
            twins.prefill(1, prompt(4, 7));
            twins.steps(6);
            twins.batch().pause(0);
            twins.batch().pause(1);
            twins.batch().pause(2);
            twins.steps(2);
            // A prompt lets one go on that was paused.
            twins.prefill(1, prompt(5, 3));
            twins.steps(2);
            twins.clear(0);
            twins.batch().resume(0);
            assertFalse(twins.batch().takesPart(0));
            twins.steps(2);
            twins.assertThatGuessesWereAccepted();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"hydra-ungrounded", "hydra", "hydra-plus-plus"})
    void theTreeMayChangeAtEveryStep(String heads) {
        BatchOptions options = BatchOptions.of(3, Tree.ROOT).withNodes(64);
        try (Twins twins = new Twins(LOADED.get(heads), options)) {
            twins.prefill(prompts(3));
            for (int i = 0; i < 20; i++) {
                twins.setTree(BitIdentity.tree(i * 17 % 64 + 1));
                twins.step();
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"hydra-ungrounded", "hydra", "hydra-plus-plus"})
    void goingBackAndTakingOtherTokensInDisturbsNoOther(String heads) {
        try (Twins twins = new Twins(LOADED.get(heads), BatchOptions.of(3, Tree.DEFAULT))) {
            twins.prefill(prompts(3));
            twins.steps(5);
            twins.rewind(2, 64);
            assertEquals(64, twins.batch().length(2));
            assertFalse(twins.batch().takesPart(2));
            twins.steps(2);
            twins.prefill(2, prompt(7, 30));
            twins.batch().pause(1);
            twins.rewind(1, twins.batch().length(1));
            twins.batch().resume(1);
            assertFalse(twins.batch().takesPart(1));
            twins.prefill(1, prompt(8, 1));
            twins.steps(5);
            assertThrows(IllegalArgumentException.class, () -> twins.batch()
                    .rewind(0, twins.batch().length(0) + 1));
            assertThrows(IllegalArgumentException.class, () -> twins.batch().rewind(0, -1));
            assertThrows(IllegalArgumentException.class, () -> twins.batch().rewind(3, 0));
            twins.step();
        }
    }

    @ParameterizedTest
    @CsvSource({"32, 64", "256, 8"})
    void aStepMayHaveAsManyRowsAsAPassCan(int size, int nodes) {
        Loaded loaded = LOADED.get("hydra-plus-plus");
        int[] prompt = prompt(0, 12);
        try (Session alone = loaded.session(BitIdentity.tree(nodes));
                BatchSession batch =
                        Sessions.batch(loaded.base(), loaded.heads(), BatchOptions.of(size, alone.tree()))) {
            alone.prefill(prompt);
            Map<Integer, int[]> prompts = new HashMap<>();
            for (int s = 0; s < size; s++) {
                prompts.put(s, prompt);
            }
            batch.prefill(prompts);
            for (int i = 0; i < 3; i++) {
                Step expected = alone.step();
                for (Step step : batch.step()) {
                    assertEquals(expected, step);
                }
            }
        }
    }

    /** Beside each other: a tree of the root alone, small and large ones, and contexts that end at different steps. */
    @ParameterizedTest
    @ValueSource(strings = {"hydra-ungrounded", "hydra", "hydra-plus-plus"})
    void sequencesHaveTreesAndRoomOfTheirOwnAndAFullOneHoldsNobodyBack(String heads) {
        BatchOptions options = BatchOptions.of(5, Tree.ROOT).withNodes(64).withMaxPositions(100);
        int[] nodes = {1, 7, 64, 64, 16};
        try (Twins twins = new Twins(LOADED.get(heads), options)) {
            twins.prefill(
                    Map.of(0, prompt(0, 70), 1, prompt(1, 91), 2, prompt(2, 40), 3, prompt(3, 98), 4, prompt(4, 10)));
            for (int s = 0; s < 5; s++) {
                twins.setTree(s, BitIdentity.tree(nodes[s]));
                assertEquals(BitIdentity.tree(nodes[s]), twins.batch().tree(s));
            }
            int full = 0;
            for (int step = 0; full < 5; step++) {
                twins.step();
                full = 0;
                for (int s = 0; s < 5; s++) {
                    boolean isFull = twins.batch().remainingContext(s) == 0;
                    full += isFull ? 1 : 0;
                    assertEquals(!isFull, twins.batch().takesPart(s));
                }
                // Trees may change at any step, too.
                twins.setTree(step % 5, BitIdentity.tree((step * 17 + nodes[step % 5]) % 64 + 1));
            }
            twins.assertThatGuessesWereAccepted();
            assertArrayEquals(new Step[5], twins.batch().step());
            for (int s = 0; s < 5; s++) {
                int sequence = s;
                assertEquals(100, twins.batch().length(s));
                assertTrue(twins.batch().root(s) >= 0);
                assertThrows(ContextFullException.class, () -> twins.batch().prefill(sequence, 1));
                twins.batch().pause(s);
            }
            assertThrows(IllegalStateException.class, () -> twins.batch().step());
            twins.rewind(1, 50);
            twins.prefill(1, prompt(7, 3));
            twins.steps(3);
        }
    }

    private static Stream<Arguments> headsAndSmallChunks() {
        return Stream.of("hydra-ungrounded", "hydra", "hydra-plus-plus", "none")
                .flatMap(heads -> Stream.of(1, 20, 64, 100).map(chunk -> Arguments.of(heads, chunk)));
    }

    @ParameterizedTest
    @MethodSource("headsAndSmallChunks")
    void promptsAreTakenInBesideWhatIsDecoded(String heads, int chunk) {
        boolean plain = heads.equals("none");
        Tree tree = plain ? Tree.ROOT : BitIdentity.tree(16);
        BatchOptions options =
                BatchOptions.of(4, tree).withNodes(plain ? 1 : 64).withPrefillTokens(chunk);
        try (Twins twins = new Twins(LOADED.get(heads), options)) {
            // Nothing is decoded yet.
            twins.enqueue(0, prompt(0, 30));
            twins.enqueue(2, prompt(1, chunk == 1 ? 3 : 50));
            while (twins.batch().promptLeft(2) > 0) {
                twins.step();
            }
            twins.steps(2);
            twins.enqueue(1, prompt(2, chunk == 1 ? 5 : 170));
            twins.enqueue(3, prompt(3, 7));
            twins.step();
            if (!plain) {
                twins.setTree(0, BitIdentity.tree(64));
            }
            assertEquals(chunk < 177, twins.batch().promptLeft(3) > 0);
            while (twins.batch().promptLeft(3) > 0) {
                twins.step();
            }
            twins.steps(2);
            // More of a conversation, of one that decodes and of one that is paused.
            twins.batch().pause(2);
            twins.enqueue(0, prompt(4, 9));
            twins.enqueue(2, prompt(5, 12));
            twins.step();
            // A prompt at once lets the others' wait.
            twins.clear(1);
            twins.prefill(1, prompt(6, 20));
            twins.steps(chunk == 1 ? 24 : 4);
            assertEquals(0, twins.batch().promptLeft(0) + twins.batch().promptLeft(2));
            // One that is cleared or goes back forgets its prompt.
            twins.batch().enqueuePrompt(3, prompt(7, 90));
            twins.clear(3);
            assertEquals(0, twins.batch().promptLeft(3));
            twins.steps(2);
            if (!plain) {
                twins.assertThatGuessesWereAccepted();
            }
        }
    }

    @Test
    void aPromptAtOnceTakesInWhatIsLeftOfTheOneBefore() {
        Loaded loaded = LOADED.get("hydra-plus-plus");
        BatchOptions options =
                BatchOptions.of(2, Tree.chain(3)).withPrefillTokens(10).withMaxPositions(60);
        try (BatchSession batch = Sessions.batch(loaded.base(), loaded.heads(), options);
                Session alone = loaded.session(Tree.chain(3))) {
            batch.enqueuePrompt(1, prompt(0, 25));
            batch.step();
            assertEquals(15, batch.promptLeft(1));
            assertEquals(10, batch.length(1));
            assertThrows(IllegalStateException.class, () -> batch.pause(1));
            assertThrows(ContextFullException.class, () -> batch.enqueuePrompt(1, prompt(0, 36)));
            assertThrows(IllegalArgumentException.class, () -> batch.enqueuePrompt(2, 1));
            assertThrows(IllegalArgumentException.class, () -> batch.enqueuePrompt(1));
            assertThrows(IllegalArgumentException.class, () -> batch.enqueuePrompt(1, 260));
            batch.prefill(1, prompt(1, 5));
            alone.prefill(prompt(0, 25));
            alone.prefill(prompt(1, 5));
            assertArrayEquals(alone.tokens(), batch.tokens(1));
            assertEquals(alone.step(), batch.step()[1]);
        }
    }

    /** As many rows as a pass can have are trees; the prompt gets those of its own sequence. */
    @Test
    void promptsTakeTheRowsThatTreesLeave() {
        Loaded loaded = LOADED.get("hydra-plus-plus");
        int[] prompt = prompt(0, 12);
        BatchOptions options = BatchOptions.of(256, BitIdentity.tree(8)).withPrefillTokens(64);
        try (BatchSession batch = Sessions.batch(loaded.base(), loaded.heads(), options);
                Session alone = loaded.session(BitIdentity.tree(8))) {
            Map<Integer, int[]> prompts = new HashMap<>();
            for (int s = 0; s < 255; s++) {
                prompts.put(s, prompt);
            }
            batch.prefill(prompts);
            batch.enqueuePrompt(255, prompt);
            alone.prefill(prompt);
            Step first = alone.step();
            assertEquals(first, batch.step()[0]);
            assertEquals(4, batch.promptLeft(255));
            Step second = alone.step();
            assertEquals(second, batch.step()[254]);
            assertEquals(0, batch.promptLeft(255));
            assertEquals(first, batch.step()[255]);
        }
    }

    @Test
    void withoutPagesNothingIsTakenInAndNothingIsLost() {
        Loaded loaded = LOADED.get("hydra-plus-plus");
        KvPages pages = loaded.base().pages();
        try (Twins twins = new Twins(loaded, BatchOptions.of(2, Tree.DEFAULT))) {
            twins.prefill(0, prompt(0, 60));
            // The session of its own has as many.
            KvPages.Lease others = pages.lease();
            others.take(pages.count() - 4);
            assertThrows(KvPagesExhaustedException.class, () -> twins.batch().prefill(1, prompt(1, 20)));
            assertThrows(KvPagesExhaustedException.class, () -> twins.batch().step());
            assertEquals(60, twins.batch().length(0));
            assertEquals(0, twins.batch().length(1));
            others.close();
            twins.steps(3);
            twins.prefill(1, prompt(1, 20));
            twins.steps(3);
        }
        requireFree(pages);
    }

    @Test
    void withoutGuessesPagesForTheirPositionsSuffice() {
        Loaded loaded = LOADED.get("hydra-plus-plus");
        KvPages pages = loaded.base().pages();
        BatchOptions options = BatchOptions.of(2, Tree.ROOT).withMaxPositions(2 * KvPool.PAGE_POSITIONS);
        try (KvPages.Lease others = pages.lease()) {
            others.take(pages.count() - 4);
            try (BatchSession batch = Sessions.batch(loaded.base(), null, options)) {
                batch.prefill(Map.of(0, prompt(0, 60), 1, prompt(1, 60)));
                while (batch.remainingContext(0) > 0) {
                    batch.step();
                }
            }
            others.take(2);
            SessionOptions alone = SessionOptions.of(Tree.ROOT).withMaxPositions(options.maxPositions());
            try (Session session = Sessions.session(loaded.base(), null, alone)) {
                session.prefill(prompt(0, 60));
                while (session.remainingContext() > 0) {
                    session.step();
                }
            }
        }
        requireFree(pages);
    }

    @Test
    void clearedSequencesGiveTheirPagesBack() {
        Loaded loaded = LOADED.get("hydra-plus-plus");
        KvPages pages = loaded.base().pages();
        try (BatchSession batch = Sessions.batch(loaded.base(), loaded.heads(), BatchOptions.of(2, Tree.chain(3)))) {
            batch.prefill(0, prompt(0, 90));
            batch.prefill(1, prompt(1, 90));
            batch.step();
            batch.clear(0);
            batch.clear(1);
            requireFree(pages);
            assertThrows(IllegalStateException.class, batch::step);
        }
    }

    @Test
    void whatIsNotForASequenceIsRefusedAndChangesNothing() {
        Loaded loaded = LOADED.get("hydra");
        try (Twins twins = new Twins(loaded, BatchOptions.of(2, Tree.chain(4)))) {
            BatchSession batch = twins.batch();
            assertThrows(IllegalStateException.class, batch::step);
            assertThrows(IllegalStateException.class, () -> batch.pause(0));
            batch.resume(0);
            twins.prefill(0, prompt(0, 30));
            for (int sequence : new int[] {-1, 2, Integer.MAX_VALUE}) {
                IllegalArgumentException refused = assertThrows(
                        IllegalArgumentException.class,
                        () -> batch.prefill(Map.of(0, new int[] {1}, sequence, new int[] {1})));
                assertTrue(refused.getMessage().contains("sequence is " + sequence), refused.getMessage());
                assertThrows(IllegalArgumentException.class, () -> batch.pause(sequence));
                assertThrows(IllegalArgumentException.class, () -> batch.resume(sequence));
                assertThrows(IllegalArgumentException.class, () -> batch.clear(sequence));
                assertThrows(IllegalArgumentException.class, () -> batch.length(sequence));
                assertThrows(IllegalArgumentException.class, () -> batch.root(sequence));
                assertThrows(IllegalArgumentException.class, () -> batch.tokens(sequence));
                assertThrows(IllegalArgumentException.class, () -> batch.takesPart(sequence));
                assertThrows(IllegalArgumentException.class, () -> batch.logits(sequence, 0));
            }
            assertThrows(IllegalArgumentException.class, () -> batch.prefill(Map.of()));
            assertThrows(IllegalArgumentException.class, () -> batch.prefill(0));
            assertThrows(
                    IllegalArgumentException.class, () -> batch.prefill(Map.of(1, new int[] {1}, 0, new int[] {260})));
            assertThrows(IllegalArgumentException.class, () -> batch.prefill(1, -1));
            assertThrows(ContextFullException.class, () -> batch.prefill(0, new int[1000]));
            assertThrows(IllegalArgumentException.class, () -> batch.logits(0, 0), "before any step");
            twins.step();
            assertThrows(IllegalArgumentException.class, () -> batch.logits(1, 0), "took no part");
            assertThrows(IllegalArgumentException.class, () -> batch.logits(0, 5));
            assertThrows(IllegalArgumentException.class, () -> batch.logits(0, -1));
            assertNull(batch.step()[1]);
        }
    }

    @Test
    void treesThatTheSessionWasNotMadeForAreRefused() {
        Loaded loaded = LOADED.get("hydra");
        try (BatchSession batch = Sessions.batch(loaded.base(), loaded.heads(), BatchOptions.of(2, Tree.chain(3)))) {
            IllegalArgumentException refused =
                    assertThrows(IllegalArgumentException.class, () -> batch.setTree(Tree.chain(4)));
            assertTrue(refused.getMessage().contains("5 nodes, the session was made for 4"), refused.getMessage());
            assertThrows(IllegalArgumentException.class, () -> batch.setTree(Tree.of(List.of(List.of(10)))));
            assertEquals(Tree.chain(3), batch.tree());
            assertThrows(IllegalStateException.class, () -> batch.logits(0, 0), "logits are not kept");
        }
        for (BatchOptions options : List.of(
                BatchOptions.of(2, Tree.chain(5)),
                BatchOptions.of(2, Tree.ROOT).withMaxPositions(1025),
                BatchOptions.of(2, Tree.chain(4)).withNodes(4),
                BatchOptions.of(2, Tree.of(List.of(List.of(5)))).withCandidates(5))) {
            assertThrows(IllegalArgumentException.class, () -> Sessions.batch(loaded.base(), loaded.heads(), options)
                    .close());
        }
        assertThrows(IllegalArgumentException.class, () -> Sessions.batch(
                        loaded.base(), null, BatchOptions.of(2, Tree.chain(1)))
                .close());
    }

    @ParameterizedTest
    @CsvSource({
        "0, 1, 0, size is 0",
        "257, 1, 0, size is 257",
        "1, 0, 0, nodes is 0",
        "1, 65, 0, nodes is 65",
        "1, 1, -1, prefillTokens is -1",
        "1, 1, 2049, prefillTokens is 2049",
        "33, 64, 0, at most 62 nodes",
        "256, 9, 0, at most 8 nodes"
    })
    void optionsBeyondTheLimitsOfAPassAreRefused(int size, int nodes, int chunk, String reason) {
        IllegalArgumentException refused = assertThrows(
                IllegalArgumentException.class,
                () -> BatchOptions.of(size, Tree.ROOT).withNodes(nodes).withPrefillTokens(chunk));
        assertTrue(refused.getMessage().contains(reason), refused.getMessage());
    }

    @ParameterizedTest
    @ValueSource(strings = {"hydra-ungrounded", "hydra", "hydra-plus-plus"})
    void theStatisticsAddUp(String heads) {
        Loaded loaded = LOADED.get(heads);
        try (BatchSession batch = Sessions.batch(loaded.base(), loaded.heads(), BatchOptions.of(3, Tree.DEFAULT))) {
            batch.prefill(Map.of(0, prompt(0, 70), 1, prompt(1, 30)));
            long emitted = 0;
            for (int i = 0; i < 10; i++) {
                Step[] steps = batch.step();
                emitted += steps[0].tokens().length + steps[1].tokens().length;
            }
            SessionStatistics statistics = batch.statistics();
            assertEquals(100, statistics.promptTokens());
            assertEquals(20, statistics.steps());
            assertEquals(10, statistics.passes());
            assertEquals(20 * 64, statistics.nodes());
            assertEquals(emitted, statistics.tokens());
            assertEquals(emitted, LongStream.of(statistics.acceptedByDepth()).sum());
            assertEquals(20, statistics.acceptedByDepth()[0]);
            assertEquals(emitted / 20.0, statistics.acceptanceLength(), 1e-12);
            assertEquals(statistics.stepNanos() / 10.0, statistics.nanosPerStep(), 1e-6);
            assertTrue(statistics.prefillNanos() > 0 && statistics.draftNanos() > 0 && statistics.verifyNanos() > 0);
            batch.resetStatistics();
            assertEquals(0, batch.statistics().passes() + batch.statistics().steps());
        }
    }

    @Test
    void aClosedSessionRefusesToWorkAndMayBeClosedAgain() {
        Loaded loaded = LOADED.get("hydra-plus-plus");
        BatchSession batch = Sessions.batch(loaded.base(), loaded.heads(), BatchOptions.of(2, Tree.chain(3)));
        batch.prefill(0, 1, 2, 3);
        batch.close();
        batch.close();
        assertThrows(IllegalStateException.class, batch::step);
        assertThrows(IllegalStateException.class, () -> batch.prefill(0, 1));
        assertThrows(IllegalStateException.class, () -> batch.pause(0));
        assertThrows(IllegalStateException.class, () -> batch.resume(0));
        assertThrows(IllegalStateException.class, () -> batch.clear(0));
        assertThrows(IllegalStateException.class, () -> batch.length(0));
        KvPages pages = loaded.base().pages();
        requireFree(pages);
    }

    private static void requireFree(KvPages pages) {
        try (KvPages.Lease all = pages.lease()) {
            assertEquals(pages.count(), all.take(pages.count()).length);
        }
    }

    /** Fails as the prompts are gone through for so many a time: the last one is after a pass. */
    @ParameterizedTest
    @ValueSource(ints = {1, 2})
    void promptsThatFailHalfwayAreTakenInByTheSameCallAgain(int passes) {
        Loaded loaded = LOADED.get("hydra-plus-plus");
        BatchOptions options = BatchOptions.of(2, BitIdentity.tree(16)).withPrefillTokens(32);
        try (BatchSession batch = Sessions.batch(loaded.base(), loaded.heads(), options);
                BatchSession expected = Sessions.batch(loaded.base(), loaded.heads(), options)) {
            for (BatchSession each : List.of(batch, expected)) {
                each.prefill(prompts(2));
                each.step();
                each.enqueuePrompt(1, prompt(2, 5));
            }
            int[] lengths = {batch.length(0), batch.length(1)};
            long before = batch.statistics().promptTokens();
            Map<Integer, int[]> more = Map.of(0, prompt(3, 100), 1, prompt(4, 50));
            Map<Integer, int[]> failing = new LinkedHashMap<>(more) {
                private static final long serialVersionUID = 1;

                @Override
                public Set<Integer> keySet() {
                    return new AbstractSet<>() {
                        @Override
                        public Iterator<Integer> iterator() {
                            if (batch.statistics().promptTokens() - before == passes * 32) {
                                throw new UnsupportedOperationException();
                            }
                            return more.keySet().iterator();
                        }

                        @Override
                        public int size() {
                            return more.size();
                        }
                    };
                }
            };
            assertThrows(UnsupportedOperationException.class, () -> batch.prefill(failing));
            assertEquals(before + passes * 32, batch.statistics().promptTokens());
            for (int s = 0; s < 2; s++) {
                assertEquals(lengths[s], batch.length(s));
                assertEquals(-1, batch.root(s));
            }
            assertEquals(5, batch.promptLeft(1));
            batch.prefill(more);
            expected.prefill(more);
            for (int i = 0; i < 5; i++) {
                assertArrayEquals(expected.step(), batch.step());
            }
            for (int s = 0; s < 2; s++) {
                assertArrayEquals(expected.tokens(s), batch.tokens(s));
            }
        }
    }
}
