package io.hydra4j.tuning;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.decode.Step;
import io.hydra4j.decode.Tree;
import io.hydra4j.heads.TreeOrder;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Decoding whose costs nobody has measured, beside decoding with costs that were measured before, at no cost. All simulated. */
class TreeChoiceTest {
    private static final int TOKENS = 128;
    private static final int TEXTS = 4;
    private static final int SEEDS = 20;
    private static final double PLAIN_NANOS = 300_000;
    /** At most so much slower, in the first text, which has to find out, and over all of them. */
    private static final double FIRST = 1.06;

    private static final double ALL = 1.035;

    /** A machine: what a level of the draft and a node cost, in plain steps. */
    private record Machine(double level, double node) {
        double draft(Tree tree) {
            return level * tree.depth();
        }

        double nanos(Tree tree) {
            return PLAIN_NANOS * (1 + draft(tree) + node * (tree.nodes() - 1));
        }
    }

    @ParameterizedTest
    @CsvSource({
        "0.20, 0.11, 0.66",
        "0.20, 0.11, 0.38",
        "0.15, 0.05, 0.66",
        "0.25, 0.15, 0.66",
        "0.25, 0.15, 0.38",
        "0.03, 0.004, 0.66",
        "0.03, 0.004, 0.38",
        "0.3, 0.9, 0.66",
        "0.3, 0.9, 0.38"
    })
    void findingOutCostsWhileDecodingIsAboutAsFastAsKnowingThem(double level, double node, double prior) {
        Machine machine = new Machine(level, node);
        TreeOrder order = SimulatedText.order(prior);
        List<Tree> trees = StepCosts.trees(order);
        double[] nanos = trees.stream().mapToDouble(machine::nanos).toArray();
        double[] shares = trees.stream()
                .mapToDouble(tree -> PLAIN_NANOS * machine.draft(tree) / machine.nanos(tree))
                .toArray();
        StepCosts known = StepCosts.of(order, nanos);
        for (double real : new double[] {0.03, 0.38, 0.66}) {
            double[] found = new double[TEXTS];
            double[] measured = new double[TEXTS];
            for (int seed = 0; seed < SEEDS; seed++) {
                TreeChoice choice = TreeChoice.of(order);
                AdaptiveTree calibrated = new AdaptiveTree(noisy(order, nanos, seed));
                for (int i = 0; i < TEXTS; i++) {
                    choice = choice.next();
                    calibrated = calibrated.next();
                    long text = 1000L * seed + i;
                    found[i] += new SimulatedText(known, nanos, position -> real, 0.03, text)
                            .adaptive(choice, shares, TOKENS);
                    measured[i] +=
                            new SimulatedText(known, nanos, position -> real, 0.03, text).adaptive(calibrated, TOKENS);
                }
            }
            double first = found[0] / measured[0];
            double all = Arrays.stream(found).sum() / Arrays.stream(measured).sum();
            assertTrue(
                    first <= FIRST && all <= ALL,
                    real + ": " + first + " x in the first text, " + all + " x in all of them");
        }
    }

    /** As good as a measurement is: 10 % off. */
    private static StepCosts noisy(TreeOrder order, double[] nanos, int seed) {
        Random random = new Random(seed);
        double[] noisy = Arrays.stream(nanos)
                .map(each -> each * (0.9 + 0.2 * random.nextDouble()))
                .toArray();
        return StepCosts.of(order, StepCosts.limit(StepCosts.trees(order), noisy));
    }

    @Test
    void theFirstStepsArePlainAndThenASmallTreeIsTried() {
        TreeChoice choice = TreeChoice.of(SimulatedText.order(0.66));
        for (int i = 0; i < AdaptiveTree.PLAIN_PERIOD; i++) {
            assertEquals(Tree.ROOT, choice.tree());
            choice.observe(new Step(new int[1], new int[1], 1), 1000, 0);
        }
        Tree tried = choice.tree();
        assertTrue(tried.nodes() > 1 && tried.nodes() <= 5, tried.toString());
        assertTrue(choice.candidates() >= tried.candidates());
    }

    @Test
    void aTextGoesOnWhereTheOneBeforeHasEndedEvenBeforeCostsAreKnown() {
        TreeChoice choice = TreeChoice.of(SimulatedText.order(0.66));
        for (int i = 0; i < AdaptiveTree.PLAIN_PERIOD; i++) {
            choice = choice.next();
            assertEquals(Tree.ROOT, choice.tree());
            choice.observe(new Step(new int[1], new int[1], 1), 1000, 0);
        }
        assertTrue(choice.next().tree().nodes() > 1);
    }

    /** A tree that costs a thousand plain steps is tried three times at most. */
    @Test
    void whatIsHopelessIsGivenUpAtOnce() {
        TreeChoice choice = TreeChoice.of(SimulatedText.order(0.66));
        int guessing = 0;
        for (int i = 0; i < 100; i++) {
            int nodes = choice.tree().nodes();
            guessing += nodes > 1 ? 1 : 0;
            choice.observe(new Step(new int[1], new int[1], nodes), nodes > 1 ? 1_000_000 : 1000, 100);
        }
        assertTrue(guessing <= 3, guessing + " steps");
    }

    @Test
    void withoutADrafterEveryStepIsPlain() {
        TreeChoice choice = TreeChoice.of(new TreeOrder(List.of(), List.of(1.0)));
        for (int i = 0; i < 100; i++) {
            assertEquals(Tree.ROOT, choice.tree());
            choice.observe(new Step(new int[1], new int[1], 1), 1000, 0);
        }
    }

    @Test
    void measuredCostsAreUsedFromTheFirstStepsOn() {
        TreeOrder order = SimulatedText.order(0.66);
        double[] nanos = StepCosts.trees(order).stream()
                .mapToDouble(new Machine(0.03, 0.004)::nanos)
                .toArray();
        TreeChoice choice = TreeChoice.of(StepCosts.of(order, nanos));
        for (int i = 0; i < AdaptiveTree.PLAIN_PERIOD; i++) {
            assertEquals(Tree.ROOT, choice.tree());
            choice.observe(new Step(new int[1], new int[1], 1), (long) PLAIN_NANOS, 0);
        }
        assertTrue(choice.tree().nodes() > 5, "no trial: " + choice.tree());
    }

    @Test
    void aChoiceThatHasObservedNothingOrBeganElsewhereContinuesNone() {
        TreeOrder order = SimulatedText.order(0.66);
        TreeChoice first = TreeChoice.of(order);
        TreeChoice next = first.next();
        assertFalse(next.continues(first));
        next.observe(new Step(new int[1], new int[1], 1), 1000, 0);
        assertTrue(next.continues(first));
        assertFalse(next.next().continues(first));
        assertFalse(next.continues(TreeChoice.of(order)));
    }
}
