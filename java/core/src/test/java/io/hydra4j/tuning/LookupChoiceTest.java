package io.hydra4j.tuning;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.decode.Step;
import io.hydra4j.decode.Tree;
import io.hydra4j.heads.TreeOrder;
import java.util.List;
import java.util.function.IntToDoubleFunction;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** How long decoding takes with guesses that a drafter has for some steps alone, beside plain decoding. All of it is simulated. */
class LookupChoiceTest {
    private static final double PLAIN_NANOS = 300_000;
    private static final int SEEDS = 30;
    /** At worst so much slower than plain decoding, and than the best chain in every step. */
    private static final double PLAIN = 1 / 0.97;

    private static final double BEST = 1.07;

    private static final TreeOrder ORDER = TreeGrowth.chains(8);
    private static final List<Tree> TREES = StepCosts.trees(ORDER);

    private record Times(double found, double calibrated, double plain, double best) {
        void assertBounds() {
            assertTrue(found <= PLAIN * plain && calibrated <= PLAIN * plain, "slower than plain: " + this);
            assertTrue(found <= BEST * best && calibrated <= BEST * best, "slower than the best chain: " + this);
        }
    }

    /**
     * Mean times over seeds, with costs that are found out and with ones that are known.
     *
     * @param node what a node costs, in plain steps
     * @param part of the steps for which there are guesses, by position
     * @param right how often a guess is right, by position
     */
    private static Times times(double node, IntToDoubleFunction part, IntToDoubleFunction right, int tokens) {
        double[] nanos = TREES.stream()
                .mapToDouble(tree -> PLAIN_NANOS * (1 + node * (tree.nodes() - 1)))
                .toArray();
        StepCosts costs = StepCosts.of(ORDER, StepCosts.limit(TREES, nanos));
        double found = 0;
        double calibrated = 0;
        double[] fixed = new double[nanos.length];
        for (int seed = 0; seed < SEEDS; seed++) {
            found += text(costs, nanos, part, right, seed)
                    .adaptive(TreeChoice.of(ORDER), new double[nanos.length], tokens);
            calibrated += text(costs, nanos, part, right, seed).adaptive(tokens);
            for (int t = 0; t < fixed.length; t++) {
                fixed[t] += text(costs, nanos, part, right, seed).fixed(t, tokens);
            }
        }
        double best = fixed[0];
        for (double each : fixed) {
            best = Math.min(best, each);
        }
        return new Times(found / fixed[0], calibrated / fixed[0], 1, best / fixed[0]);
    }

    private static SimulatedText text(
            StepCosts costs, double[] nanos, IntToDoubleFunction part, IntToDoubleFunction right, int seed) {
        return new SimulatedText(costs, nanos, right, 0.03, seed).withGuessesFor(part);
    }

    @ParameterizedTest
    @CsvSource({
        "0.004, 0.5, 0.9, 256",
        "0.004, 0.5, 0.9, 2048",
        "0.05, 0.5, 0.9, 256",
        "0.05, 0.5, 0.9, 2048",
        "0.11, 0.5, 0.9, 256",
        "0.11, 0.5, 0.9, 2048",
        "0.15, 0.3, 0.7, 1024",
        "0.9, 0.5, 0.9, 1024"
    })
    void textsThatRepeatThemselvesAreGuessedWithNearlyTheBestChain(double node, double part, double right, int tokens) {
        Times times = times(node, position -> part, position -> right, tokens);
        times.assertBounds();
        assertTrue(node > 0.5 || times.found() < 0.85, "gains nothing: " + times);
    }

    /** Ends that were there before, and after which the text goes on otherwise. */
    @ParameterizedTest
    @CsvSource({
        "0.004, 0.2, 256",
        "0.05, 0.2, 256",
        "0.11, 0.2, 256",
        "0.11, 1, 1024",
        "0.15, 0.5, 1024",
        "0.9, 0.2, 1024",
        "0.9, 1, 1024"
    })
    void guessesThatAreWrongHardlyCostAnything(double node, double part, int tokens) {
        times(node, position -> part, position -> 0.03, tokens).assertBounds();
    }

    @ParameterizedTest
    @ValueSource(doubles = {0.05, 0.11})
    void passagesThatRepeatThemselvesAreFollowed(double node) {
        times(node, position -> position % 1200 < 600 ? 0.6 : 0.1, position -> position % 1200 < 600 ? 0.9 : 0.1, 4096)
                .assertBounds();
    }

    @Test
    void stepsWithoutGuessesArePlainAndCountForNothing() {
        TreeChoice choice = TreeChoice.of(ORDER);
        for (int i = 0; i < AdaptiveTree.PLAIN_PERIOD; i++) {
            assertEquals(Tree.ROOT, choice.tree());
            choice.observe(new Step(new int[1], new int[1], 1), 1000, 0);
        }
        Tree tried = choice.tree();
        assertTrue(tried.nodes() > 1, tried.toString());
        for (int i = 0; i < 1000; i++) {
            choice.observe(new Step(new int[1], new int[1], 1), 1000, 0);
            assertEquals(tried, choice.tree());
        }
    }

    /** Where every step has a guess, and none is right. */
    @ParameterizedTest
    @ValueSource(doubles = {0.02, 0.1, 0.3})
    void guessingIsGivenUpWhereItsBudgetIsSpent(double node) {
        TreeChoice choice = TreeChoice.of(ORDER);
        double spent = 0;
        int guessing = 0;
        for (int i = 0; i < 2000; i++) {
            int nodes = choice.tree().nodes();
            double cost = 1 + node * (nodes - 1);
            spent += cost - 1;
            guessing += nodes > 1 ? 1 : 0;
            choice.observe(new Step(new int[1], new int[1], nodes), (long) (PLAIN_NANOS * cost), 0);
        }
        assertTrue(spent <= 0.01 * 2000, spent + " plain steps of 2000");
        assertTrue(guessing < 200, "not given up: " + guessing + " of 2000 steps guess");
    }
}
