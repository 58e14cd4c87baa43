package io.hydra4j.decode;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.decode.access.Sessions;
import io.hydra4j.draft.Drafter;
import io.hydra4j.golden.Json;
import io.hydra4j.golden.Loaded;
import io.hydra4j.golden.Original;
import io.hydra4j.golden.TestData;
import io.hydra4j.runtime.InstructionSet;
import io.hydra4j.runtime.WeightType;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Trees that each step makes anew: the output is that of plain decoding, and they guess better than fixed ones. */
class DynamicTreeTest {
    private static final List<Tree> TREES = List.of(
            Tree.dynamic(2),
            Tree.dynamic(5),
            Tree.dynamic(17),
            Tree.dynamic(64),
            Tree.dynamic(32).withLeast(0.2));

    private static List<String> heads() {
        return Original.HEADS;
    }

    /** A tree of each kind in turn, and plain steps and fixed trees between, on one session. */
    static void check(Loaded loaded, Drafter drafter, List<int[]> prompts, int tokens) {
        SessionOptions options = SessionOptions.of(Tree.ROOT).withLogits();
        try (Session plain = loaded.session(Tree.ROOT);
                Session session = Sessions.session(loaded.base(), drafter, options)) {
            for (int[] prompt : prompts) {
                PlainDecoding expected = PlainDecoding.of(plain, prompt, tokens);
                for (Tree tree : TREES) {
                    expected.assertSame(session, tree);
                    expected.assertSame(session, tree.nodes() == 5 ? Tree.ROOT : Tree.chain(1));
                }
            }
        }
    }

    @ParameterizedTest
    @MethodSource("heads")
    void headsEmitWhatPlainDecodingDoes(String heads) {
        try (Loaded loaded = Loaded.open(Original.base(), Original.heads(heads), WeightType.F32)) {
            check(loaded, loaded.heads(), BitIdentity.bytePrompts().subList(0, 8), 24);
        }
    }

    @ParameterizedTest
    @MethodSource("heads")
    void headsWithALookupEmitWhatPlainDecodingDoes(String heads) {
        try (Loaded loaded = Loaded.open(Original.base(), Original.heads(heads), WeightType.F32)) {
            Drafter both = loaded.heads().withChains(Drafter.lookup(20));
            check(loaded, both, BitIdentity.bytePrompts().subList(0, 4), 60);
        }
    }

    @Test
    void aLookupEmitsWhatPlainDecodingDoes() {
        try (Loaded loaded = Loaded.open(Original.base(), null, WeightType.F32)) {
            check(loaded, Drafter.lookup(63), BitIdentity.bytePrompts().subList(0, 4), 80);
        }
    }

    @ParameterizedTest
    @MethodSource("heads")
    void stepsInPartsAreStepsAtOnce(String heads) {
        int[] prompt = BitIdentity.bytePrompts().get(1);
        try (Loaded loaded = Loaded.open(Original.base(), Original.heads(heads), WeightType.F32)) {
            Drafter both = loaded.heads().withChains(Drafter.lookup(20));
            SessionOptions options = SessionOptions.of(Tree.dynamic(12));
            try (Session whole = Sessions.session(loaded.base(), both, options);
                    Session parts = Sessions.session(loaded.base(), both, options)) {
                whole.prefill(prompt);
                parts.prefill(prompt);
                while (whole.length() < prompt.length + 60) {
                    Step expected = whole.step();
                    int[] drafted = parts.draft();
                    assertEquals(expected.nodes(), drafted.length);
                    assertEquals(drafted.length, parts.verify().length);
                    Step found = parts.accept();
                    assertArrayEquals(expected.tokens(), found.tokens());
                    assertArrayEquals(expected.path(), found.path());
                }
                assertEquals(whole.statistics().nodes(), parts.statistics().nodes());
            }
        }
    }

    @Test
    void theLastStepsFitIntoTheContext() {
        int[] prompt = BitIdentity.bytePrompts().get(2);
        int positions = prompt.length + 23;
        try (Loaded loaded = Loaded.open(Original.base(), Original.heads("hydra-plus-plus"), WeightType.F32);
                Session session = Sessions.session(
                        loaded.base(),
                        loaded.heads(),
                        SessionOptions.of(Tree.dynamic(16)).withMaxPositions(positions))) {
            session.prefill(prompt);
            while (session.remainingContext() > 0) {
                session.step();
            }
            assertEquals(positions, session.length());
            assertThrows(ContextFullException.class, session::step);
        }
    }

    /** The tokens of some golden prompts that a step emits with so many nodes. */
    private static double acceptanceLength(Session session, List<Json> golden, Tree tree) {
        session.setTree(tree);
        session.resetStatistics();
        for (int i = 0; i < golden.size(); i += 6) {
            session.rewind(0);
            int[] prompt = golden.get(i).get("prompt_ids").ints();
            int[] ids = golden.get(i).get("greedy_ids").ints();
            session.prefill(prompt);
            while (session.length() < prompt.length + 60) {
                session.step();
            }
            assertArrayEquals(
                    Arrays.copyOf(ids, 60),
                    Arrays.copyOfRange(session.tokens(), prompt.length, prompt.length + 60),
                    "prompt " + i);
        }
        return session.statistics().acceptanceLength();
    }

    @Test
    void theyGuessBetterThanFixedTreesOfAsManyNodesAndBetterStillWithALookup() {
        List<Json> golden = Json.read(TestData.shared("golden/javalm-19m.json")).list();
        try (Loaded loaded = Loaded.open(
                TestData.shared("models/javalm-19m"),
                TestData.shared("models/javalm-19m/heads-hydra-plus-plus"),
                WeightType.BF16,
                2,
                InstructionSet.AUTO)) {
            Tree fixed = Tree.of(Tree.published().subList(0, 16));
            Drafter both = loaded.heads().withChains(Drafter.lookup(16));
            SessionOptions options = SessionOptions.of(Tree.ROOT);
            try (Session heads = Sessions.session(loaded.base(), loaded.heads(), options);
                    Session looking = Sessions.session(loaded.base(), both, options)) {
                double before = acceptanceLength(heads, golden, fixed);
                double dynamic = acceptanceLength(heads, golden, Tree.dynamic(17));
                double withLookup = acceptanceLength(looking, golden, Tree.dynamic(17));
                System.out.printf(
                        "javalm-19m, 16 nodes below the root: fixed %.3f, dynamic %.3f, with a lookup %.3f%n",
                        before, dynamic, withLookup);
                assertTrue(dynamic > before, dynamic + " > " + before);
                assertTrue(withLookup > dynamic, withLookup + " > " + dynamic);
            }
        }
    }

    @Test
    void whatIsNoDynamicTreeIsRefused() {
        assertThrows(Tree.InvalidTreeException.class, () -> Tree.dynamic(0));
        assertThrows(Tree.InvalidTreeException.class, () -> Tree.dynamic(65));
        assertThrows(IllegalArgumentException.class, () -> Tree.dynamic(4).withLeast(1.1));
        assertThrows(IllegalArgumentException.class, () -> Tree.dynamic(4).withLeast(Double.NaN));
        assertThrows(IllegalStateException.class, () -> Tree.DEFAULT.withLeast(0.1));
        try (Loaded loaded = Loaded.open(Original.base(), null, WeightType.F32)) {
            SessionOptions options = SessionOptions.of(Tree.dynamic(4));
            assertThrows(IllegalArgumentException.class, () -> Sessions.session(loaded.base(), null, options));
            IllegalArgumentException refused = assertThrows(
                    IllegalArgumentException.class,
                    () -> Sessions.session(
                            loaded.base(), new ChainDrafter(3, (sequence, text, chain, depth) -> 0), options));
            assertTrue(refused.getMessage().contains("how likely"), refused.getMessage());
        }
    }
}
