package io.hydra4j.decode;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.decode.access.Sessions;
import io.hydra4j.golden.Json;
import io.hydra4j.golden.Loaded;
import io.hydra4j.golden.Original;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class SessionTest {
    private static final Tree CHAIN = Tree.chain(4);
    private static final Map<String, Loaded> LOADED = new TreeMap<>();
    private static int[] prompt;
    private static int[] greedy;

    @BeforeAll
    static void load() {
        for (String heads : Original.HEADS) {
            LOADED.put(heads, Loaded.open(Original.base(), Original.heads(heads), null));
        }
        Json golden = Original.golden("golden-hydra").get("cases").at(3);
        prompt = golden.get("prompt_ids").ints();
        greedy = golden.get("greedy_ids").ints();
    }

    @AfterAll
    static void close() {
        LOADED.values().forEach(Loaded::close);
    }

    private static Session session(String heads, Tree tree) {
        return LOADED.get(heads).session(tree);
    }

    private static Session session(Tree tree, int maxPositions) {
        Loaded loaded = LOADED.get("hydra-plus-plus");
        return Sessions.session(
                loaded.base(),
                loaded.heads(),
                SessionOptions.of(tree).withMaxPositions(maxPositions).withLogits());
    }

    /** Steps until so many tokens are there. */
    private static List<Step> run(Session session, int tokens) {
        List<Step> steps = new ArrayList<>();
        for (int done = 0; done < tokens; ) {
            steps.add(session.step());
            done += steps.get(steps.size() - 1).tokens().length;
        }
        return steps;
    }

    private static int[] tokens(List<Step> steps) {
        return steps.stream().flatMapToInt(step -> Arrays.stream(step.tokens())).toArray();
    }

    @ParameterizedTest
    @CsvSource({
        "hydra-ungrounded, 1",
        "hydra-ungrounded, 63",
        "hydra, 1",
        "hydra, 64",
        "hydra-plus-plus, 1",
        "hydra-plus-plus, 7",
        "hydra-plus-plus, 64",
        "hydra-plus-plus, 65"
    })
    void aPromptInPartsGivesTheSameStepsAndLogitsAsAtOnce(String heads, int part) {
        try (Session whole = session(heads, Tree.DEFAULT);
                Session parts = session(heads, Tree.DEFAULT)) {
            whole.prefill(prompt);
            for (int from = 0; from < prompt.length; from += part) {
                parts.prefill(Arrays.copyOfRange(prompt, from, Math.min(prompt.length, from + part)));
            }
            assertEquals(whole.length(), parts.length());
            for (int i = 0; i < 8; i++) {
                Step step = whole.step();
                assertEquals(step, parts.step());
                assertArrayEquals(whole.nodeTokens(), parts.nodeTokens());
                for (int node = 0; node < step.nodes(); node++) {
                    assertArrayEquals(whole.logits(node), parts.logits(node));
                }
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"hydra-ungrounded", "hydra", "hydra-plus-plus"})
    void goingBackAndTakingTheSameTokensInAgainChangesNothing(String heads) {
        try (Session session = session(heads, Tree.DEFAULT)) {
            session.prefill(prompt);
            List<Step> first = run(session, 40);
            for (int target : new int[] {prompt.length, prompt.length - 1, 70, 64, 1, 0}) {
                session.rewind(target);
                assertEquals(target, session.length());
                assertEquals(-1, session.root());
                assertThrows(IllegalStateException.class, session::step);
                int kept = Math.min(target, prompt.length - 1);
                session.rewind(kept);
                session.prefill(Arrays.copyOfRange(prompt, kept, prompt.length));
                assertArrayEquals(prompt, session.tokens());
                assertEquals(first, run(session, 40));
            }
        }
    }

    @Test
    void goingBackAndTakingOtherTokensInIsAsIfTheyHadAlwaysBeenThere() {
        int[] other = prompt.clone();
        for (int i = 80; i < other.length; i++) {
            other[i] = prompt[i - 40];
        }
        for (String heads : Original.HEADS) {
            try (Session fresh = session(heads, Tree.DEFAULT);
                    Session turned = session(heads, Tree.DEFAULT)) {
                fresh.prefill(other);
                turned.prefill(prompt);
                run(turned, 30);
                turned.rewind(80);
                turned.prefill(Arrays.copyOfRange(other, 80, other.length));
                assertEquals(run(fresh, 40), run(turned, 40));
            }
        }
    }

    /** Tokens that wait for the prefix layer must not be counted as seen by it. */
    @ParameterizedTest
    @ValueSource(ints = {1, 3, 30, 52})
    void goingBackByAFewTokensBeforeTheyWereDraftedFromChangesNothing(int tokens) {
        for (String heads : Original.HEADS) {
            try (Session fresh = session(heads, Tree.DEFAULT);
                    Session turned = session(heads, Tree.DEFAULT)) {
                fresh.prefill(prompt);
                turned.prefill(prompt);
                turned.rewind(prompt.length - tokens);
                turned.prefill(Arrays.copyOfRange(prompt, prompt.length - tokens, prompt.length));
                for (int i = 0; i < 10; i++) {
                    assertEquals(fresh.step(), turned.step());
                    assertArrayEquals(fresh.nodeTokens(), turned.nodeTokens());
                }
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"hydra", "hydra-plus-plus"})
    void goingForwardIsNoWayBack(String heads) {
        try (Session session = session(heads, Tree.ROOT)) {
            session.prefill(prompt);
            assertThrows(IllegalArgumentException.class, () -> session.rewind(prompt.length + 1));
            assertThrows(IllegalArgumentException.class, () -> session.rewind(-1));
            assertEquals(prompt.length, session.length());
            assertEquals(greedy[0], session.step().tokens()[0]);
        }
    }

    /** Also right after a step, whose hidden states the prefix layer has not committed yet. */
    @ParameterizedTest
    @ValueSource(strings = {"hydra-ungrounded", "hydra", "hydra-plus-plus"})
    void rewindingAfterDraftedStepsGoesBackExactlyAsFarAsAsked(String heads) {
        try (Session fresh = session(heads, Tree.DEFAULT);
                Session turned = session(heads, Tree.DEFAULT)) {
            fresh.prefill(prompt);
            run(fresh, 40);
            int[] tokens = fresh.tokens();
            for (int back = 0; back <= 3; back++) {
                turned.rewind(0);
                turned.prefill(prompt);
                while (turned.length() < prompt.length + 10) {
                    turned.step();
                }
                int length = turned.length() - back;
                turned.rewind(length);
                assertEquals(length, turned.length());
                assertArrayEquals(Arrays.copyOf(tokens, length), turned.tokens());
                turned.prefill(tokens[length]);
                while (turned.length() < tokens.length) {
                    turned.step();
                }
                assertArrayEquals(tokens, Arrays.copyOf(turned.tokens(), tokens.length));
                fresh.rewind(0);
                fresh.prefill(Arrays.copyOf(tokens, length + 1));
                turned.rewind(length + 1);
                turned.rewind(length);
                turned.prefill(tokens[length]);
                for (int i = 0; i < 5; i++) {
                    assertEquals(fresh.step(), turned.step());
                    assertArrayEquals(fresh.nodeTokens(), turned.nodeTokens(), "drafts as if never gone back");
                }
            }
        }
    }

    @Test
    void aPromptCanBeCancelledBetweenItsChunksAndTakenInAgain() {
        try (Session session = session("hydra-plus-plus", Tree.DEFAULT)) {
            session.prefill(prompt);
            List<Step> expected = run(session, 10);
            session.rewind(0);
            AtomicInteger asked = new AtomicInteger();
            assertFalse(session.prefill(prompt, () -> asked.incrementAndGet() > 1));
            assertEquals(2, asked.get());
            assertEquals(Tree.MAX_NODES, session.length(), "sessions with logits take in so many tokens at a time");
            assertEquals(-1, session.root());
            assertThrows(IllegalStateException.class, session::step);
            assertTrue(session.prefill(Arrays.copyOfRange(prompt, Tree.MAX_NODES, prompt.length), () -> false));
            assertEquals(expected, run(session, 10));
        }
    }

    @Test
    void optionsOutOfTheirRangeAreRefusedByNameAndValue() {
        assertRefused("maxPositions is -1", () -> SessionOptions.of(CHAIN).withMaxPositions(-1));
        assertRefused("candidates is 0", () -> SessionOptions.of(CHAIN).withCandidates(0));
        assertRefused("candidates is 33", () -> SessionOptions.of(CHAIN).withCandidates(33));
        assertEquals(
                SessionOptions.of(CHAIN).withLogits(),
                SessionOptions.of(Tree.chain(CHAIN.depth())).withLogits());
    }

    private static void assertRefused(String reason, Executable call) {
        IllegalArgumentException refused = assertThrows(IllegalArgumentException.class, call);
        assertTrue(refused.getMessage().startsWith(reason), refused.getMessage());
    }

    /** The prefix layer must have taken in every token that went by without a draft, in order, however many there were. */
    @ParameterizedTest
    @CsvSource({
        "hydra-ungrounded, 5",
        "hydra, 5",
        "hydra, 70",
        "hydra-plus-plus, 1",
        "hydra-plus-plus, 11",
        "hydra-plus-plus, 12",
        "hydra-plus-plus, 13",
        "hydra-plus-plus, 63",
        "hydra-plus-plus, 64",
        "hydra-plus-plus, 65",
        "hydra-plus-plus, 70",
        "hydra-plus-plus, 150"
    })
    void draftsAfterAStretchOfPlainStepsAreThoseOfASessionThatNeverLeft(String heads, int plainSteps) {
        try (Session left = session(heads, Tree.DEFAULT);
                Session fresh = session(heads, Tree.DEFAULT)) {
            left.prefill(prompt);
            run(left, 10);
            left.setTree(Tree.ROOT);
            for (int i = 0; i < plainSteps; i++) {
                Step step = left.step();
                assertEquals(1, step.tokens().length);
                assertEquals(1, step.nodes());
            }
            left.setTree(Tree.DEFAULT);
            fresh.prefill(left.tokens());
            assertEquals(fresh.root(), left.root());
            for (int i = 0; i < 12; i++) {
                assertEquals(fresh.step(), left.step());
                assertArrayEquals(fresh.nodeTokens(), left.nodeTokens());
            }
        }
    }

    @Test
    void changingTheTreeAtEveryStepChangesNoToken() {
        try (Session session = session("hydra-plus-plus", Tree.ROOT)) {
            session.prefill(prompt);
            List<Integer> found = new ArrayList<>();
            List<List<Integer>> published = Tree.published();
            for (int i = 0; found.size() < greedy.length; i++) {
                session.setTree(Tree.of(published.subList(0, i * 17 % 64)));
                Arrays.stream(session.step().tokens()).forEach(found::add);
            }
            assertEquals(Arrays.stream(greedy).boxed().toList(), found.subList(0, greedy.length));
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 2, 3, 4, 5, 6, 17})
    void theContextIsFilledToItsLastPositionByTreesThatDoNotFitAnyMore(int spare) {
        int positions = prompt.length + spare;
        for (Tree tree : List.of(Tree.ROOT, CHAIN, Tree.DEFAULT)) {
            try (Session session = session(tree, positions)) {
                session.prefill(prompt);
                assertEquals(spare, session.remainingContext());
                List<Integer> found = new ArrayList<>();
                while (session.remainingContext() > 0) {
                    Arrays.stream(session.step().tokens()).forEach(found::add);
                }
                assertEquals(positions, session.length());
                assertEquals(Arrays.stream(greedy).limit(spare).boxed().toList(), found);
                assertEquals(greedy[spare], session.root(), "the next token is known, though it has no place");
                assertThrows(ContextFullException.class, session::step);
                assertThrows(ContextFullException.class, () -> session.prefill(1));
                assertEquals(positions, session.length());
            }
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {64, 96, 100})
    void theModelsWholeContextCanBeFilled(int context, @TempDir Path folder) {
        Path model = Original.variant(folder, List.of(257), context);
        int[] beginning = Arrays.copyOf(prompt, 40);
        try (Loaded loaded = Loaded.open(model, Original.heads("hydra-plus-plus"), null);
                Session plain = loaded.session(Tree.ROOT);
                Session session = loaded.session(Tree.DEFAULT)) {
            plain.prefill(beginning);
            session.prefill(beginning);
            while (plain.remainingContext() > 0) {
                plain.step();
            }
            while (session.remainingContext() > 0) {
                session.step();
            }
            assertEquals(context, session.length());
            assertArrayEquals(plain.tokens(), session.tokens());
            assertEquals(plain.root(), session.root());
        }
    }

    @Test
    void aPromptThatDoesNotFitLeavesTheSessionAsItWas() {
        try (Session session = session(CHAIN, prompt.length + 5)) {
            assertThrows(ContextFullException.class, () -> session.prefill(new int[prompt.length + 6]));
            assertEquals(0, session.length());
            session.prefill(prompt);
            assertThrows(ContextFullException.class, () -> session.prefill(new int[6]));
            assertEquals(greedy[0], session.root());
            assertEquals(greedy[0], session.step().tokens()[0]);
        }
    }

    /** What waited for the drafter before a prompt must not be taken in again after it. */
    @ParameterizedTest
    @ValueSource(strings = {"hydra-ungrounded", "hydra", "hydra-plus-plus"})
    void aListenerThatFailsLeavesTheTokensOfBefore(String heads) {
        try (Session fresh = session(heads, Tree.DEFAULT);
                Session failed = session(heads, Tree.DEFAULT)) {
            failed.prefill(Arrays.copyOf(prompt, 40));
            failed.step();
            int[] before = failed.tokens();
            assertThrows(
                    IllegalStateException.class,
                    () -> failed.prefill(Arrays.copyOfRange(prompt, 40, 60), (first, count) -> {
                        throw new IllegalStateException();
                    }));
            assertArrayEquals(before, failed.tokens());
            failed.prefill(Arrays.copyOfRange(prompt, 40, 60));
            fresh.prefill(before);
            fresh.prefill(Arrays.copyOfRange(prompt, 40, 60));
            assertArrayEquals(fresh.tokens(), failed.tokens());
            for (int i = 0; i < 8; i++) {
                assertEquals(fresh.step(), failed.step());
                assertArrayEquals(fresh.nodeTokens(), failed.nodeTokens());
            }
        }
    }

    @Test
    void tokensOutsideTheVocabularyAreRefusedAndLeaveTheSessionAsItWas() {
        try (Session session = session("hydra", CHAIN)) {
            session.prefill(prompt);
            for (int id : new int[] {-1, 260, Integer.MAX_VALUE, Integer.MIN_VALUE}) {
                IllegalArgumentException refused =
                        assertThrows(IllegalArgumentException.class, () -> session.prefill(1, 2, id));
                assertTrue(refused.getMessage().contains(id + " at index 2"), refused.getMessage());
            }
            assertThrows(IllegalArgumentException.class, () -> session.prefill());
            assertEquals(prompt.length, session.length());
            assertEquals(greedy[0], session.step().tokens()[0]);
        }
    }

    @Test
    void aStepBeforeAnyPromptIsRefused() {
        try (Session session = session("hydra", CHAIN)) {
            assertEquals(-1, session.root());
            assertThrows(IllegalStateException.class, session::step);
            session.prefill(prompt);
            assertEquals(greedy[0], session.root());
        }
    }

    @Test
    void treesThatDoNotFitTheHeadsAreRefused() {
        try (Session session = session("hydra", CHAIN)) {
            assertThrows(IllegalArgumentException.class, () -> session.setTree(Tree.chain(5)));
            assertThrows(IllegalArgumentException.class, () -> session.setTree(Tree.of(List.of(List.of(10)))));
            assertEquals(CHAIN, session.tree());
        }
        Loaded loaded = LOADED.get("hydra");
        SessionOptions options = SessionOptions.of(CHAIN);
        assertThrows(IllegalArgumentException.class, () -> Sessions.session(loaded.base(), null, options)
                .close());
        assertThrows(IllegalArgumentException.class, () -> Sessions.session(
                        loaded.base(), loaded.heads(), SessionOptions.of(Tree.chain(5)))
                .close());
    }

    @Test
    void optionsThatDoNotFitTheModelAreRefused() {
        Loaded loaded = LOADED.get("hydra");
        for (SessionOptions options : List.of(
                SessionOptions.of(CHAIN).withMaxPositions(1025),
                SessionOptions.of(Tree.of(List.of(List.of(5)))).withCandidates(5))) {
            assertThrows(IllegalArgumentException.class, () -> Sessions.session(loaded.base(), loaded.heads(), options)
                    .close());
        }
    }

    @Test
    void headsOfAnotherModelAreRefused() {
        SessionOptions options = SessionOptions.of(CHAIN);
        assertThrows(IllegalArgumentException.class, () -> Sessions.session(
                        LOADED.get("hydra").base(),
                        LOADED.get("hydra-plus-plus").heads(),
                        options)
                .close());
    }

    @Test
    void treesOfManyCandidatesNeedASessionThatIsMadeForThem() {
        Loaded loaded = LOADED.get("hydra");
        List<List<Integer>> wide =
                IntStream.range(0, 32).mapToObj(List::of).collect(Collectors.toCollection(ArrayList::new));
        wide.add(List.of(31, 31));
        Tree tree = Tree.of(wide);
        try (Session session = Sessions.session(loaded.base(), loaded.heads(), SessionOptions.of(tree))) {
            session.prefill(prompt);
            assertArrayEquals(Arrays.copyOf(greedy, 30), Arrays.copyOf(tokens(run(session, 30)), 30));
        }
    }

    @Test
    void logitsAreThereOnlyIfTheyWereAskedFor() {
        Loaded loaded = LOADED.get("hydra");
        try (Session session = Sessions.session(loaded.base(), loaded.heads(), SessionOptions.of(CHAIN))) {
            session.prefill(prompt);
            assertThrows(IllegalStateException.class, () -> session.logits(0));
        }
    }

    @Test
    void aSessionWithoutHeadsHasNoDrafterAndDecodesPlainly() {
        Loaded loaded = LOADED.get("hydra");
        try (Session session = Sessions.session(loaded.base(), null, SessionOptions.of(Tree.ROOT))) {
            assertNull(session.draftState());
            session.prefill(prompt);
            assertArrayEquals(greedy, tokens(run(session, greedy.length)));
        }
    }

    @Test
    void aClosedSessionRefusesToWorkAndMayBeClosedAgain() {
        Session session = session("hydra-plus-plus", CHAIN);
        session.prefill(prompt);
        session.close();
        session.close();
        assertThrows(IllegalStateException.class, session::step);
        assertThrows(IllegalStateException.class, () -> session.prefill(1));
        assertThrows(IllegalStateException.class, () -> session.rewind(0));
        assertThrows(IllegalStateException.class, () -> session.logits(0));
        assertThrows(IllegalStateException.class, session::length);
    }

    /** The KV pages are for 16 sessions of full length; each of these takes its pages and gives them back. */
    @Test
    void pagesOfClosedSessionsServeOthers() {
        for (int i = 0; i < 100; i++) {
            try (Session session = session("hydra-plus-plus", CHAIN)) {
                session.prefill(new int[500]);
                session.step();
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"hydra-ungrounded", "hydra", "hydra-plus-plus"})
    void theStatisticsAddUp(String heads) {
        try (Session session = session(heads, Tree.DEFAULT)) {
            session.prefill(prompt);
            List<Step> steps = run(session, 60);
            session.setTree(Tree.chain(2));
            steps.addAll(run(session, 10));
            session.setTree(Tree.ROOT);
            steps.addAll(run(session, 5));
            SessionStatistics statistics = session.statistics();
            assertEquals(prompt.length, statistics.promptTokens());
            assertEquals(steps.size(), statistics.steps());
            assertEquals(tokens(steps).length, statistics.tokens());
            assertEquals(steps.stream().mapToInt(Step::nodes).sum(), statistics.nodes());
            assertEquals(
                    statistics.tokens(),
                    LongStream.of(statistics.acceptedByDepth()).sum());
            assertEquals(statistics.steps(), statistics.acceptedByDepth()[0]);
            assertEquals(statistics.steps(), statistics.draftedByDepth()[0]);
            for (int depth = 0; depth <= 4; depth++) {
                int d = depth;
                assertEquals(
                        steps.stream().filter(step -> step.tokens().length > d).count(),
                        statistics.acceptedByDepth()[d]);
                assertTrue(statistics.acceptedByDepth()[d] <= statistics.draftedByDepth()[d]);
            }
            assertEquals(5, statistics.acceptedByDepth().length);
            assertEquals((double) tokens(steps).length / steps.size(), statistics.acceptanceLength(), 1e-12);
            assertEquals(
                    statistics.draftNanos() + statistics.verifyNanos() + statistics.acceptNanos(),
                    statistics.stepNanos());
            assertTrue(statistics.prefillNanos() > 0 && statistics.draftNanos() > 0 && statistics.verifyNanos() > 0);

            session.resetStatistics();
            SessionStatistics none = session.statistics();
            assertEquals(0, none.tokens() + none.steps() + none.nodes() + none.promptTokens() + none.stepNanos());
            assertEquals(0, none.acceptanceLength());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"hydra-ungrounded", "hydra", "hydra-plus-plus"})
    void aStepsPathLeadsDownTheTreeAlongItsTokens(String heads) {
        try (Session session = session(heads, Tree.DEFAULT)) {
            session.prefill(prompt);
            int[] parents = Tree.DEFAULT.parents();
            for (int i = 0; i < 20; i++) {
                int root = session.root();
                int before = session.length();
                Step step = session.step();
                int[] nodes = session.nodeTokens();
                assertEquals(64, nodes.length);
                assertEquals(root, step.tokens()[0]);
                assertEquals(0, step.path()[0]);
                for (int k = 0; k < step.path().length; k++) {
                    assertEquals(step.tokens()[k], nodes[step.path()[k]]);
                    assertEquals(k == 0 ? -1 : step.path()[k - 1], parents[step.path()[k]]);
                }
                assertEquals(before + step.tokens().length, session.length());
                assertArrayEquals(step.tokens(), Arrays.copyOfRange(session.tokens(), before, session.length()));
            }
        }
    }

    @Test
    void aPromptThatFailsHalfwayIsTakenInByTheSameCallAgain() {
        int[] more = new int[900];
        for (String heads : Original.HEADS) {
            try (Session session = session(heads, CHAIN);
                    Session expected = session(heads, CHAIN)) {
                for (Session each : List.of(session, expected)) {
                    each.prefill(prompt);
                    each.step();
                }
                int length = session.length();
                AtomicInteger asked = new AtomicInteger();
                assertThrows(
                        UnsupportedOperationException.class,
                        () -> session.prefill(more, () -> {
                            if (asked.incrementAndGet() == 3) {
                                throw new UnsupportedOperationException();
                            }
                            return false;
                        }));
                assertEquals(3, asked.get());
                assertEquals(length, session.length());
                assertEquals(-1, session.root());
                int[] fitting = Arrays.copyOf(more, 100);
                session.prefill(fitting);
                expected.prefill(fitting);
                assertArrayEquals(expected.tokens(), session.tokens());
                for (int i = 0; i < 5; i++) {
                    assertEquals(expected.step(), session.step());
                }
            }
        }
    }
}
