package io.hydra4j.tuning;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.decode.Step;
import io.hydra4j.decode.Tree;
import io.hydra4j.heads.TreeOrder;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.function.IntToDoubleFunction;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** How long decoding takes with trees that adapt, beside plain decoding and the best fixed tree. All of it is simulated. */
class AdaptiveTreeTest {
    /** At worst so much slower than plain decoding. */
    private static final double PLAIN = 1 / 0.97;
    /** At worst so much slower than the best fixed tree, which nobody knows beforehand. */
    private static final double BEST = 1.07;

    private static final int SEEDS = 30;

    private static final int FIXED_SEEDS = 3;
    /** The smallest trees, the root alone among them. */
    private static final int FEW_TREES = 6;
    /** How well good Hydra++ heads, good Medusa heads and useless heads guess. */
    private static final double GOOD = 0.66;

    private static final double USELESS = 0.03;

    /** What a level and a node cost on two cores without VNNI, with it, and for a tiny model; on a GPU; where nothing can pay. */
    private enum Machine {
        AVX2(0.20, 0.11),
        VNNI(0.15, 0.05),
        TINY(0.25, 0.15),
        GPU(0.03, 0.004),
        HOPELESS(0.3, 0.9);

        private final double level;
        private final double node;

        Machine(double level, double node) {
            this.level = level;
            this.node = node;
        }

        double nanos(Tree tree) {
            return 300_000 * (1 + level * tree.depth() + node * (tree.nodes() - 1));
        }
    }

    private record Times(double adaptive, double plain, double best, int bestNodes) {}

    private static double[] costs(TreeOrder order, Machine machine) {
        return StepCosts.trees(order).stream().mapToDouble(machine::nanos).toArray();
    }

    /** Mean times over seeds. */
    private static Times times(
            Machine machine, double promised, IntToDoubleFunction real, int tokens, double costError) {
        TreeOrder order = SimulatedText.order(promised);
        double[] costs = costs(order, machine);
        double adaptive = 0;
        double[] fixed = new double[costs.length];
        for (int seed = 0; seed < SEEDS; seed++) {
            Random random = new Random(seed);
            double[] noisy = costs.clone();
            for (int t = 0; t < noisy.length; t++) {
                noisy[t] *= 1 + costError * (2 * random.nextDouble() - 1);
            }
            StepCosts measured = StepCosts.of(order, noisy);
            adaptive += new SimulatedText(measured, costs, real, 0.03, seed).adaptive(tokens) / SEEDS;
            for (int t = 0; t < fixed.length && seed < FIXED_SEEDS; t++) {
                fixed[t] += new SimulatedText(measured, costs, real, 0.03, 1000 + seed).fixed(t, tokens) / FIXED_SEEDS;
            }
        }
        int best = 0;
        for (int t = 1; t < fixed.length; t++) {
            best = fixed[t] < fixed[best] ? t : best;
        }
        return new Times(
                adaptive,
                fixed[0],
                fixed[best],
                StepCosts.trees(order).get(best).nodes());
    }

    private static void assertBounds(Times times) {
        assertTrue(times.adaptive() <= PLAIN * times.plain(), () -> "slower than plain: " + describe(times));
        assertTrue(times.adaptive() <= BEST * times.best(), () -> "slower than the best tree: " + describe(times));
    }

    private static String describe(Times times) {
        return String.format(
                "%.3f x plain, %.3f x the best tree of %d nodes",
                times.adaptive() / times.plain(), times.adaptive() / times.best(), times.bestNodes());
    }

    @ParameterizedTest
    @CsvSource({
        "AVX2, 256",
        "AVX2, 1024",
        "AVX2, 4096",
        "VNNI, 256",
        "VNNI, 1024",
        "VNNI, 4096",
        "GPU, 256",
        "GPU, 1024",
        "HOPELESS, 256",
        "HOPELESS, 1024"
    })
    void goodHeadsAreUsedWithNearlyTheBestTree(Machine machine, int tokens) {
        assertBounds(times(machine, GOOD, position -> GOOD, tokens, 0.1));
    }

    @ParameterizedTest
    @CsvSource({"AVX2, 256", "AVX2, 1024", "VNNI, 256", "VNNI, 4096", "GPU, 256", "GPU, 1024", "HOPELESS, 1024"})
    void uselessHeadsHardlyCostAnything(Machine machine, int tokens) {
        assertBounds(times(machine, GOOD, position -> USELESS, tokens, 0.1));
    }

    @ParameterizedTest
    @CsvSource({"AVX2, 0.2", "AVX2, 0.38", "VNNI, 0.2", "VNNI, 0.38", "VNNI, 0.5", "GPU, 0.2", "GPU, 0.38"})
    void headsThatKeepOnlyAPartOfTheirPromiseAreJudgedByWhatTheyDo(Machine machine, double real) {
        assertBounds(times(machine, GOOD, position -> real, 256, 0.1));
        assertBounds(times(machine, GOOD, position -> real, 1024, 0.1));
    }

    @ParameterizedTest
    @CsvSource({"AVX2", "VNNI", "GPU"})
    void headsThatAreBetterThanTheirPromiseAreFoundOut(Machine machine) {
        assertBounds(times(machine, 0.38, position -> 0.75, 4096, 0.1));
    }

    @ParameterizedTest
    @CsvSource({"AVX2", "VNNI", "GPU"})
    void acceptanceThatComesAndGoesIsFollowed(Machine machine) {
        assertBounds(times(machine, GOOD, position -> position % 1200 < 600 ? 0.75 : 0.05, 4096, 0.1));
        assertBounds(times(machine, GOOD, position -> 0.4 + 0.35 * Math.sin(position / 300.0), 4096, 0.1));
    }

    @ParameterizedTest
    @CsvSource({"AVX2, 0.66", "AVX2, 0.2", "VNNI, 0.66", "VNNI, 0.03", "GPU, 0.66"})
    void costsThatWereMeasuredBadlyAreCorrected(Machine machine, double real) {
        assertBounds(times(machine, GOOD, position -> real, 1024, 0.2));
    }

    @ParameterizedTest
    @CsvSource({"AVX2, 0.4", "AVX2, 2.5", "VNNI, 0.4", "VNNI, 2.5", "HOPELESS, 0.4"})
    void plainStepsThatWereMeasuredInABadMomentDoNotHideALoss(Machine machine, double truePart) {
        TreeOrder order = SimulatedText.order(GOOD);
        double[] measured = costs(order, machine);
        double[] costs = measured.clone();
        costs[0] *= truePart;
        double adaptive = 0;
        double plain = 0;
        for (int seed = 0; seed < SEEDS; seed++) {
            StepCosts known = StepCosts.of(order, measured);
            adaptive += new SimulatedText(known, costs, position -> GOOD, 0.03, seed).adaptive(2048);
            plain += new SimulatedText(known, costs, position -> GOOD, 0.03, seed).fixed(0, 2048);
        }
        assertTrue(adaptive <= PLAIN * plain, adaptive / plain + " x plain");
    }

    @ParameterizedTest
    @CsvSource({"AVX2, 0.03", "AVX2, 0.66", "VNNI, 0.03", "VNNI, 0.66"})
    void shortTextsLearnFromEachOther(Machine machine, double real) {
        int texts = 40;
        int tokens = 48;
        TreeOrder order = SimulatedText.order(GOOD);
        double[] costs = costs(order, machine);
        StepCosts measured = StepCosts.of(order, costs);
        double adaptive = 0;
        for (int seed = 0; seed < SEEDS; seed++) {
            AdaptiveTree trees = new AdaptiveTree(measured);
            for (int i = 0; i < texts; i++) {
                trees = trees.next();
                SimulatedText text = new SimulatedText(measured, costs, position -> real, 0.03, 100 * seed + i);
                adaptive += text.adaptive(trees, tokens) / SEEDS;
            }
        }
        Times whole = times(machine, GOOD, position -> real, texts * tokens, 0);
        assertBounds(new Times(adaptive, whole.plain(), whole.best(), whole.bestNodes()));
    }

    /** On a machine that others use too, with costs that were measured well, and in a state where waiting was most of a step. */
    @ParameterizedTest
    @CsvSource({"TINY, 0.66", "TINY, 0.4", "TINY, 0.03", "VNNI, 0.66", "VNNI, 0.03"})
    void noiseHidesNoGain(Machine measuredAs, double real) {
        int texts = 24;
        int tokens = 128;
        TreeOrder order = SimulatedText.order(GOOD);
        StepCosts measured = StepCosts.of(
                order,
                Arrays.stream(costs(order, measuredAs))
                        .map(nanos -> measuredAs == Machine.TINY ? nanos : 6 * nanos)
                        .toArray());
        double[] costs = costs(order, Machine.TINY);
        double adaptive = 0;
        double[] fixed = new double[FEW_TREES];
        for (int seed = 0; seed < SEEDS; seed++) {
            AdaptiveTree trees = new AdaptiveTree(measured);
            for (int i = 0; i < texts; i++) {
                long textSeed = 100 * seed + i;
                trees = trees.next();
                adaptive += new SimulatedText(measured, costs, position -> real, 0.1, textSeed)
                        .onSharedMachine(1.5)
                        .adaptive(trees, tokens);
                for (int t = 0; t < fixed.length; t++) {
                    fixed[t] += new SimulatedText(measured, costs, position -> real, 0.1, textSeed)
                            .onSharedMachine(1.5)
                            .fixed(t, tokens);
                }
            }
        }
        double best = Arrays.stream(fixed).min().orElseThrow();
        String found = adaptive / fixed[0] + " x plain, " + adaptive / best + " x the best tree";
        assertTrue(adaptive <= PLAIN * fixed[0] && adaptive <= BEST * best, found);
    }

    @Test
    void sixteenNodesAreChosenWhereTheyAreBest() {
        TreeOrder order = SimulatedText.order(GOOD);
        double[] costs = StepCosts.trees(order).stream()
                .mapToDouble(tree -> 300_000 * (tree.nodes() <= 16 ? 1.3 : 0.1 * tree.nodes()))
                .toArray();
        costs[0] = 300_000;
        AdaptiveTree trees = new AdaptiveTree(StepCosts.of(order, costs));
        for (int i = 0; i < AdaptiveTree.PLAIN_PERIOD; i++) {
            assertEquals(1, trees.tree().nodes());
            trees.observe(new Step(new int[1], new int[1], 1), 300_000);
        }
        assertEquals(16, trees.tree().nodes());
    }

    @Test
    void plainDecodingIsChosenWhereNoTreeCanPay() {
        TreeOrder order = SimulatedText.order(GOOD);
        AdaptiveTree trees = new AdaptiveTree(StepCosts.of(order, costs(order, Machine.HOPELESS)));
        assertEquals(1, trees.tree().nodes());
    }

    @Test
    void withoutHeadsEveryStepIsPlain() {
        TreeOrder none = new TreeOrder(List.of(), List.of(1.0));
        AdaptiveTree trees = new AdaptiveTree(StepCosts.of(none, new double[] {1000}));
        for (int i = 0; i < 1000; i++) {
            assertEquals(Tree.ROOT, trees.tree());
            trees.observe(new Step(new int[1], new int[1], 1), 1000);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 5, 100})
    void stepsThatTheEndOfTheContextCutShortAreLeftAside(int seed) {
        TreeOrder order = SimulatedText.order(GOOD);
        AdaptiveTree trees = new AdaptiveTree(StepCosts.of(order, costs(order, Machine.VNNI)));
        Tree before = trees.tree();
        Random random = new Random(seed);
        for (int i = 0; i < 100; i++) {
            trees.observe(new Step(new int[1], new int[1], 2 + random.nextInt(2)), 1_000_000_000);
        }
        assertEquals(before, trees.tree());
    }
}
