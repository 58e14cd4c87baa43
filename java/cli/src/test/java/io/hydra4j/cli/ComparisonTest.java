package io.hydra4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.GenerationOptions;
import io.hydra4j.HydraException;
import io.hydra4j.decode.Sampling;
import io.hydra4j.decode.SessionStatistics;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CancellationException;
import org.junit.jupiter.api.Test;

/** Ways that decode nothing, with times as the test wants them. */
class ComparisonTest {
    private static final long PLAIN_NANOS = 1_000_000;
    private static final List<int[]> PROMPTS = List.of(new int[] {1}, new int[] {2}, new int[] {3});

    private final List<String> order = new ArrayList<>();

    /** A way whose times are those of plain decoding ÷ speed, on a machine that grows slower with every generation. */
    private Way way(String name, double speed, boolean isExact, int... ids) {
        return new Way(name, isExact, (model, prompt, limits) -> {
            order.add(name + prompt[0]);
            double slowness = 1 + 0.01 * order.size();
            return new Run(ids, SessionStatistics.NONE, 1, Math.round(PLAIN_NANOS * slowness / speed), false);
        });
    }

    private Comparison measure(List<Way> ways, int runs) {
        return Comparison.measure(null, ways, PROMPTS, runs, GenerationOptions.DEFAULT, fraction -> {});
    }

    private static int[] tokens(int count) {
        return new int[count];
    }

    @Test
    void theOrderTurnsWithEveryPromptAndEveryRun() {
        measure(
                List.of(
                        way("plain", 1, true, tokens(20)),
                        way("a", 1, true, tokens(20)),
                        way("b", 1, true, tokens(20))),
                2);
        assertEquals(
                List.of(
                        "plain1", "a1", "b1", // warms up
                        "plain1", "a1", "b1", "b2", "a2", "plain2", "plain3", "a3", "b3", //
                        "b1", "a1", "plain1", "plain2", "a2", "b2", "b3", "a3", "plain3"),
                order);
    }

    @Test
    void aMachineThatGrowsSlowerHurtsNoWay() {
        Comparison comparison = measure(
                List.of(
                        way("plain", 1, true, tokens(20)),
                        way("a", 1, true, tokens(20)),
                        way("b", 1.5, true, tokens(20))),
                2);
        assertEquals(1, comparison.figures().get(1).ratioTo(comparison.plain()).mean(), 0.002);
        PairedRatio faster = comparison.figures().get(2).ratioTo(comparison.plain());
        assertEquals(1.5, faster.mean(), 0.003);
        assertEquals("faster", faster.verdict());
        assertEquals(3, faster.pairs());
    }

    @Test
    void everyPromptHasASeedOfItsOwnThatAllWaysShare() {
        Set<String> seeds = new TreeSet<>();
        Way plain = new Way("plain", true, (model, prompt, limits) -> {
            seeds.add(prompt[0] + ":" + limits.sampling().seed());
            return new Run(tokens(20), SessionStatistics.NONE, 1, PLAIN_NANOS, false);
        });
        Comparison.measure(
                null,
                List.of(plain, plain),
                PROMPTS,
                2,
                GenerationOptions.DEFAULT.withSampling(Sampling.of(1, 40)),
                fraction -> {});
        assertEquals(Set.of("1:40", "2:41", "3:42"), seeds);
    }

    @Test
    void outputsOfExactWaysMustBeThoseOfPlainDecoding() {
        int[] others = tokens(20);
        others[19] = 7;
        Comparison comparison = measure(
                List.of(way("plain", 1, true, tokens(20)), way("a", 1, true, others), way("lossy", 1, false, others)),
                1);
        assertEquals(3, comparison.defects());
        assertEquals(3, comparison.figures().get(2).different());
        assertEquals(0, comparison.plain().different());
    }

    @Test
    void promptsThatEndTooSoonAreLeftOut() {
        Way plain = new Way(
                "plain",
                true,
                (model, prompt, limits) ->
                        new Run(tokens(prompt[0] == 2 ? 3 : 20), SessionStatistics.NONE, 1, PLAIN_NANOS, false));
        Comparison comparison = measure(List.of(plain), 2);
        assertEquals(2, comparison.prompts());
        assertEquals(1, comparison.tooShort());
        assertEquals(
                List.of(2, 0, 2),
                comparison.plain().runs().stream().map(List::size).toList());
        HydraException refused =
                assertThrows(HydraException.class, () -> measure(List.of(way("plain", 1, true, tokens(3))), 1));
        assertTrue(refused.getMessage().startsWith("no prompt was continued by 8 tokens"), refused.getMessage());
    }

    @Test
    void aCancelledGenerationEndsTheComparison() {
        Way plain = new Way(
                "plain",
                true,
                (model, prompt, limits) -> new Run(tokens(20), SessionStatistics.NONE, 1, PLAIN_NANOS, true));
        assertThrows(CancellationException.class, () -> measure(List.of(plain), 1));
    }
}
