package io.hydra4j.decode;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.BiFunction;
import java.util.function.Function;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class SamplingTest {
    private static final List<Float> NO_NUMBERS = List.of(Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY);

    private static Arguments option(
            String name, BiFunction<Sampling, Float, Sampling> with, Function<Sampling, Float> get, String range) {
        return Arguments.of(name, with, get, range);
    }

    private static Stream<Arguments> options() {
        return Stream.of(
                option("temperature", Sampling::withTemperature, Sampling::temperature, "0, 1.0E-4, 1, 100"),
                option("topP", Sampling::withTopP, Sampling::topP, "1e-20, 0.5, 1"),
                option("minP", Sampling::withMinP, Sampling::minP, "0, 0.5, 1"),
                option(
                        "repetitionPenalty",
                        Sampling::withRepetitionPenalty,
                        Sampling::repetitionPenalty,
                        "0.01, 1, 100"),
                option("presencePenalty", Sampling::withPresencePenalty, Sampling::presencePenalty, "-100, 0, 100"),
                option("frequencyPenalty", Sampling::withFrequencyPenalty, Sampling::frequencyPenalty, "-100, 0, 100"),
                option(
                        "logitBias of token 7",
                        (sampling, value) -> sampling.withLogitBias(Map.of(7, value)),
                        sampling -> sampling.logitBias().get(7),
                        "-10000, 0, 10000"));
    }

    @ParameterizedTest
    @MethodSource("options")
    void anOptionTakesTheValuesOfItsRangeAndNoOthers(
            String name, BiFunction<Sampling, Float, Sampling> with, Function<Sampling, Float> get, String range) {
        float[] values = new float[range.split(", ").length];
        for (int i = 0; i < values.length; i++) {
            values[i] = Float.parseFloat(range.split(", ")[i]);
            assertEquals(values[i], get.apply(with.apply(Sampling.GREEDY, values[i])));
        }
        NO_NUMBERS.forEach(value -> assertRefuses(name, with, value));
        assertRefuses(name, with, Math.nextUp(values[values.length - 1]));
        assertRefuses(name, with, name.equals("topP") ? 0 : values[0] == 0 ? -1e-30f : Math.nextDown(values[0]));
        if (name.equals("temperature")) {
            assertRefuses(name, with, Math.nextDown(values[1]));
        }
    }

    private static void assertRefuses(String name, BiFunction<Sampling, Float, Sampling> with, float value) {
        String message = assertThrows(IllegalArgumentException.class, () -> with.apply(Sampling.GREEDY, value))
                .getMessage();
        assertTrue(message.startsWith(name + " is " + value + ": give "), message);
    }

    @Test
    void negativeZeroIsZero() {
        Sampling zeros = Sampling.GREEDY
                .withTemperature(-0f)
                .withMinP(-0f)
                .withPresencePenalty(-0f)
                .withFrequencyPenalty(-0f);

        assertEquals(Sampling.GREEDY, zeros);
        assertEquals(Sampling.GREEDY.hashCode(), zeros.hashCode());
    }

    @Test
    void aNegativeTopKIsRefused() {
        String message = assertThrows(IllegalArgumentException.class, () -> Sampling.GREEDY.withTopK(-1))
                .getMessage();

        assertEquals("topK is -1: give 1 or more, or 0 for all tokens", message);
        assertEquals(40, Sampling.GREEDY.withTopK(40).topK());
    }

    @Test
    void biasesForNoTokensAreRefused() {
        Map<Integer, Float> nullToken = new HashMap<>();
        nullToken.put(null, 1f);

        assertNullIsNamed("logitBias", () -> Sampling.GREEDY.withLogitBias(null));
        assertNullIsNamed("a token of logitBias", () -> Sampling.GREEDY.withLogitBias(nullToken));
        assertNullIsNamed(
                "the logitBias of token 3",
                () -> Sampling.GREEDY.withLogitBias(new HashMap<>(Collections.singletonMap(3, null))));
        String negative = assertThrows(
                        IllegalArgumentException.class, () -> Sampling.GREEDY.withLogitBias(Map.of(-1, 1f)))
                .getMessage();
        assertTrue(negative.startsWith("logitBias is given for token -1"), negative);
        Sampling last = Sampling.GREEDY.withLogitBias(Map.of(99, 1f));
        last.requireFit(100);
        String beyond = assertThrows(IllegalArgumentException.class, () -> last.requireFit(99))
                .getMessage();
        assertTrue(beyond.contains("token 99, which is outside the vocabulary of 99"), beyond);
    }

    private static void assertNullIsNamed(String argument, Runnable call) {
        String message = assertThrows(NullPointerException.class, call::run).getMessage();
        assertTrue(message.startsWith(argument + " is null: "), message);
    }

    @Test
    void optionsAreCopiesThatDifferInWhatWasChanged() {
        Map<Integer, Float> given = new TreeMap<>(Map.of(5, 1f));
        Sampling first = Sampling.of(0.7f, 42).withTopK(40).withTopP(0.9f).withLogitBias(given);
        given.put(6, 1f);

        assertEquals(Map.of(5, 1f), first.logitBias());
        assertThrows(
                UnsupportedOperationException.class, () -> first.logitBias().put(6, 1f));
        assertEquals(first, first.toBuilder().build());
        assertEquals(first.hashCode(), first.toBuilder().build().hashCode());
        Stream.of(
                        first.withTemperature(0.8f),
                        first.withTopK(41),
                        first.withTopP(0.8f),
                        first.withMinP(0.1f),
                        first.withRepetitionPenalty(1.1f),
                        first.withPresencePenalty(1),
                        first.withFrequencyPenalty(1),
                        first.withLogitBias(Map.of()),
                        first.withSeed(43))
                .forEach(other -> {
                    assertNotEquals(first, other);
                    assertNotEquals(first.toString(), other.toString());
                });
    }

    @Test
    void whatSelectsTheBestTokenEverywhereIsGreedy() {
        assertTrue(Sampling.GREEDY.isGreedy());
        assertTrue(Sampling.of(0, 5).withTopK(3).withTopP(0.5f).withMinP(0.1f).isGreedy(), "filters keep the best");
        assertFalse(Sampling.of(0.1f, 5).isGreedy());
        assertFalse(Sampling.GREEDY.withRepetitionPenalty(1.1f).isGreedy());
        assertFalse(Sampling.GREEDY.withPresencePenalty(1).isGreedy());
        assertFalse(Sampling.GREEDY.withFrequencyPenalty(1).isGreedy());
        assertFalse(Sampling.GREEDY.withLogitBias(Map.of(1, 1f)).isGreedy());
    }
}
