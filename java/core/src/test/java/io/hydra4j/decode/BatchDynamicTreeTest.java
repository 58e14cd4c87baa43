package io.hydra4j.decode;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.decode.access.Sessions;
import io.hydra4j.draft.Draft;
import io.hydra4j.draft.Drafter;
import io.hydra4j.golden.Loaded;
import io.hydra4j.golden.Original;
import io.hydra4j.runtime.WeightType;
import io.hydra4j.tuning.GrowthChoice;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Dynamic trees of many sequences in one pass: each emits what plain decoding does, whatever stands beside it. */
class BatchDynamicTreeTest {
    private static final int TOKENS = 50;

    private static List<String> heads() {
        return Original.HEADS;
    }

    private static List<int[]> plain(Loaded loaded, List<int[]> prompts) {
        List<int[]> texts = new ArrayList<>();
        try (Session session = loaded.session(Tree.ROOT)) {
            for (int[] prompt : prompts) {
                texts.add(PlainDecoding.of(session, prompt, TOKENS).tokens());
            }
        }
        return texts;
    }

    /** Prompts are taken in one after the other beside what is decoded; trees differ by sequence. */
    private static SessionStatistics check(Loaded loaded, Drafter drafter, int budget) {
        List<int[]> prompts = BitIdentity.bytePrompts().subList(0, 5);
        List<int[]> expected = plain(loaded, prompts);
        BatchOptions options = BatchOptions.of(5, Tree.dynamic(12)).withPrefillTokens(9);
        try (BatchSession batch = Sessions.batch(loaded.base(), drafter, options)) {
            batch.setTree(1, Tree.dynamic(5));
            batch.setTree(2, Tree.ROOT);
            batch.setTree(3, Tree.dynamic(9).withLeast(0.2));
            if (budget >= 0) {
                batch.setBudget(budget);
            }
            for (int s = 0; s < 5; s++) {
                batch.enqueuePrompt(s, prompts.get(s));
                batch.step();
            }
            while (!isDone(batch, prompts)) {
                Step[] steps = batch.step();
                int nodes = 0;
                for (Step step : steps) {
                    nodes += step == null ? 0 : step.nodes() - 1;
                }
                assertTrue(budget < 0 || nodes <= Math.max(budget, 0), nodes + " nodes, " + budget + " allowed");
            }
            for (int s = 0; s < 5; s++) {
                int begin = prompts.get(s).length;
                assertArrayEquals(
                        expected.get(s), Arrays.copyOfRange(batch.tokens(s), begin, begin + TOKENS), "sequence " + s);
            }
            return batch.statistics();
        }
    }

    private static boolean isDone(BatchSession batch, List<int[]> prompts) {
        for (int s = 0; s < prompts.size(); s++) {
            if (batch.length(s) < prompts.get(s).length + TOKENS) {
                return false;
            }
        }
        return true;
    }

    @ParameterizedTest
    @MethodSource("heads")
    void headsEmitWhatPlainDecodingDoes(String heads) {
        try (Loaded loaded = Loaded.open(Original.base(), Original.heads(heads), WeightType.F32)) {
            assertTrue(check(loaded, loaded.heads(), -1).acceptanceLength() > 1);
        }
    }

    @ParameterizedTest
    @MethodSource("heads")
    void headsWithALookupEmitWhatPlainDecodingDoes(String heads) {
        try (Loaded loaded = Loaded.open(Original.base(), Original.heads(heads), WeightType.F32)) {
            assertTrue(check(loaded, loaded.heads().withChains(Drafter.lookup(20)), -1)
                            .acceptanceLength()
                    > 1);
        }
    }

    @Test
    void aLookupEmitsWhatPlainDecodingDoes() {
        try (Loaded loaded = Loaded.open(Original.base(), null, WeightType.F32)) {
            assertTrue(check(loaded, Drafter.lookup(30), -1).acceptanceLength() > 1);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 3, 11})
    void theNodesOfAllAreWithinTheBudget(int budget) {
        try (Loaded loaded = Loaded.open(Original.base(), Original.heads("hydra-plus-plus"), WeightType.F32)) {
            for (Drafter drafter :
                    List.of(loaded.heads(), Drafter.lookup(20), loaded.heads().withChains(Drafter.lookup(20)))) {
                SessionStatistics statistics = check(loaded, drafter, budget);
                assertTrue(budget == 0 || statistics.acceptanceLength() > 1);
            }
        }
    }

    /** Asks for heads in every second step, and notes what it is told. */
    private static final class EverySecondStep implements GrowthPolicy {
        int chosen;
        int told;
        int levels;

        @Override
        public Growth choose(float[][] chances, int most) {
            levels = chosen++ % 2 == 0 ? 0 : most;
            return new Growth(6, 0.05, levels);
        }

        @Override
        public void observe(int[] emitted, int nodes, long nanos, long draft) {
            int all = Arrays.stream(emitted).sum();
            assertTrue(all >= emitted.length && all <= nodes && nodes <= 6 * emitted.length, all + " of " + nodes);
            assertTrue(draft <= nanos && (draft > 0) == (levels > 0), draft + " of " + nanos);
            told++;
        }
    }

    @ParameterizedTest
    @MethodSource("heads")
    void whatChoosesHowTreesGrowChangesNothing(String heads) {
        List<int[]> prompts = BitIdentity.bytePrompts().subList(0, 5);
        try (Loaded loaded = Loaded.open(Original.base(), Original.heads(heads), WeightType.F32)) {
            Drafter both = loaded.heads().withChains(Drafter.lookup(20));
            List<int[]> expected = plain(loaded, prompts);
            for (GrowthPolicy policy : List.of(new EverySecondStep(), new GrowthChoice(4))) {
                BatchOptions options = BatchOptions.of(5, Tree.dynamic(12));
                try (BatchSession batch = Sessions.batch(loaded.base(), both, options);
                        Session single = Sessions.session(loaded.base(), both, SessionOptions.of(Tree.dynamic(12)))) {
                    batch.setGrowthPolicy(policy);
                    single.setGrowthPolicy(policy instanceof GrowthChoice ? new GrowthChoice(4) : policy);
                    for (int s = 0; s < 5; s++) {
                        batch.prefill(s, prompts.get(s));
                    }
                    while (!isDone(batch, prompts)) {
                        batch.step();
                    }
                    single.prefill(prompts.get(0));
                    while (single.length() < prompts.get(0).length + TOKENS) {
                        single.step();
                    }
                    for (int s = 0; s < 5; s++) {
                        int begin = prompts.get(s).length;
                        int[] text = Arrays.copyOfRange(batch.tokens(s), begin, begin + TOKENS);
                        assertArrayEquals(expected.get(s), text, "sequence " + s);
                    }
                    int begin = prompts.get(0).length;
                    assertArrayEquals(
                            expected.get(0), Arrays.copyOfRange(single.tokens(), begin, begin + TOKENS), "alone");
                }
                if (policy instanceof EverySecondStep each) {
                    assertTrue(each.chosen > 20 && each.told == each.chosen, each.told + " of " + each.chosen);
                }
            }
        }
    }

    /** The states that a step leaves to resting heads have room, however long a guess of the lookup could be. */
    @ParameterizedTest
    @MethodSource("heads")
    void aLookupGuessesBesideHeadsThatRest(String heads) {
        int[] phrase = BitIdentity.bytePrompts().get(0);
        int[] prompt = new int[4 * phrase.length];
        for (int i = 0; i < prompt.length; i++) {
            prompt[i] = phrase[i % phrase.length];
        }
        List<int[]> prompts = List.of(prompt, prompt, prompt);
        try (Loaded loaded = Loaded.open(Original.base(), Original.heads(heads), WeightType.F32);
                BatchSession batch = Sessions.batch(
                        loaded.base(),
                        loaded.heads().withChains(Drafter.lookup(60)),
                        BatchOptions.of(3, Tree.dynamic(64).withLevels(0)))) {
            for (int s = 0; s < 3; s++) {
                batch.prefill(s, prompt);
            }
            int most = 0;
            while (!isDone(batch, prompts)) {
                for (Step step : batch.step()) {
                    most = Math.max(most, step.nodes());
                }
            }
            assertTrue(most > 5 && most <= Draft.MAX_CHAIN + 1, "at most " + most + " nodes");
            int[] expected = plain(loaded, prompts).get(0);
            for (int s = 0; s < 3; s++) {
                assertArrayEquals(expected, Arrays.copyOfRange(batch.tokens(s), prompt.length, prompt.length + TOKENS));
            }
        }
    }

    @Test
    void aLoneSequenceEmitsAsManyTokensAStepAsASessionOfItsOwn() {
        int[] prompt = BitIdentity.bytePrompts().get(3);
        try (Loaded loaded = Loaded.open(Original.base(), Original.heads("hydra"), WeightType.F32);
                Session session = loaded.session(Tree.dynamic(10));
                BatchSession batch =
                        Sessions.batch(loaded.base(), loaded.heads(), BatchOptions.of(3, Tree.dynamic(10)))) {
            session.prefill(prompt);
            batch.prefill(1, prompt);
            for (int i = 0; i < 20; i++) {
                Step expected = session.step();
                Step found = batch.step()[1];
                assertArrayEquals(expected.tokens(), found.tokens());
                assertArrayEquals(expected.path(), found.path());
            }
        }
    }

    @Test
    void whatDoesNotGoTogetherIsRefused() {
        int[] prompt = BitIdentity.bytePrompts().get(0);
        try (Loaded loaded = Loaded.open(Original.base(), Original.heads("hydra"), WeightType.F32);
                BatchSession batch =
                        Sessions.batch(loaded.base(), loaded.heads(), BatchOptions.of(2, Tree.dynamic(8)))) {
            batch.prefill(0, prompt);
            batch.prefill(1, prompt);
            assertThrows(IllegalStateException.class, batch::draft);
            batch.setTree(1, Tree.chain(2));
            assertThrows(IllegalStateException.class, batch::step);
            batch.setTree(1, Tree.ROOT);
            assertThrows(IllegalArgumentException.class, () -> batch.setBudget(-1));
            assertTrue(batch.step()[1].nodes() == 1);
        }
    }
}
