package io.hydra4j.decode;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class AcceptanceTest {
    @Test
    void isExactUnlessToldOtherwise() {
        assertFalse(Acceptance.exact().isTypical());
        assertEquals("exact", Acceptance.exact().toString());
        assertEquals(Acceptance.exact(), SessionOptions.of(Tree.ROOT).acceptance());
        assertEquals(Acceptance.exact(), BatchOptions.of(2, Tree.ROOT).acceptance());
    }

    @Test
    void typicalHasTheValuesOfTheOriginalByDefault() {
        Acceptance typical = Acceptance.typical();
        assertTrue(typical.isTypical());
        assertEquals(0.7f, typical.temperature());
        assertEquals(0.09f, typical.epsilon());
        assertEquals(0.3f, typical.alpha());
        assertEquals("typical[temperature=0.7, epsilon=0.09, alpha=0.3]", typical.toString());
    }

    @Test
    void alphaIsTheRootOfEpsilonUnlessItIsGiven() {
        assertEquals(0.5f, Acceptance.typical(0.25f).alpha());
        assertEquals(0.6f, Acceptance.typical(0.25f, 0.6f).alpha());
        assertEquals(1, Acceptance.typical(1, 1).epsilon());
    }

    @Test
    void isEqualIfAllItsValuesAre() {
        assertEquals(Acceptance.typical(), Acceptance.typical(0.09f, 0.3f).withTemperature(0.7f));
        assertEquals(
                Acceptance.typical().hashCode(), Acceptance.typical(0.09f, 0.3f).hashCode());
        assertNotEquals(Acceptance.exact(), Acceptance.typical());
        assertNotEquals(Acceptance.typical(), Acceptance.typical().withTemperature(1));
        assertNotEquals(Acceptance.typical(), Acceptance.typical(0.1f, 0.3f));
        assertNotEquals(Acceptance.typical(), Acceptance.typical(0.09f, 0.4f));
    }

    @Test
    void otherOptionsKeepIt() {
        SessionOptions session = SessionOptions.of(Tree.ROOT)
                .withAcceptance(Acceptance.typical())
                .withTree(Tree.DEFAULT)
                .withMaxPositions(7)
                .withCandidates(3)
                .withLogits();
        assertEquals(Acceptance.typical(), session.acceptance());
        assertTrue(session.toString().contains("acceptance=typical["));
        assertNotEquals(session, session.withAcceptance(Acceptance.exact()));
        BatchOptions batch = BatchOptions.of(3, Tree.ROOT)
                .withAcceptance(Acceptance.typical())
                .withTree(Tree.DEFAULT)
                .withMaxPositions(7)
                .withNodes(64)
                .withCandidates(3)
                .withPrefillTokens(5)
                .withLogits();
        assertEquals(Acceptance.typical(), batch.acceptance());
        assertTrue(batch.toString().contains("acceptance=typical["));
        assertNotEquals(batch, batch.withAcceptance(Acceptance.exact()));
    }

    @ParameterizedTest
    @ValueSource(floats = {0, -0.1f, 1.0001f, Float.NaN, Float.POSITIVE_INFINITY})
    void refusesWhatIsNoShare(float value) {
        assertRefused("epsilon is " + value, () -> Acceptance.typical(value));
        assertRefused("epsilon is " + value, () -> Acceptance.typical(value, 0.3f));
        assertRefused("alpha is " + value, () -> Acceptance.typical(0.09f, value));
    }

    @ParameterizedTest
    @ValueSource(floats = {0, -0.7f, Float.NaN, Float.POSITIVE_INFINITY})
    void refusesWhatIsNoTemperature(float value) {
        assertRefused("temperature is " + value, () -> Acceptance.typical().withTemperature(value));
    }

    @Test
    void exactAcceptanceHasNoTemperature() {
        String message = assertThrows(
                        IllegalStateException.class, () -> Acceptance.exact().withTemperature(1))
                .getMessage();
        assertTrue(message.contains("Acceptance.typical()"), message);
    }

    /** It draws nothing, and what it judges by are the model's own logits. */
    @Test
    void typicalAcceptanceAndSamplingExcludeEachOther() {
        Acceptance typical = Acceptance.typical();
        SessionOptions session = SessionOptions.of(Tree.DEFAULT);
        BatchOptions batch = BatchOptions.of(2, Tree.DEFAULT);
        Sampling penalty = Sampling.builder().presencePenalty(1).build();
        for (Sampling sampling : new Sampling[] {Sampling.of(0.7f, 5), penalty}) {
            for (Runnable both : new Runnable[] {
                () -> session.withSampling(sampling).withAcceptance(typical),
                () -> session.withAcceptance(typical).withSampling(sampling),
                () -> batch.withSampling(sampling).withAcceptance(typical),
                () -> batch.withAcceptance(typical).withSampling(sampling)
            }) {
                String message =
                        assertThrows(IllegalArgumentException.class, both::run).getMessage();
                assertTrue(message.startsWith("typical acceptance with "), message);
            }
            session.withAcceptance(Acceptance.exact()).withSampling(sampling);
        }
        session.withSampling(Sampling.GREEDY).withAcceptance(typical);
    }

    private static void assertRefused(String part, Runnable make) {
        String message = assertThrows(IllegalArgumentException.class, make::run).getMessage();
        assertTrue(message.startsWith(part + ": give a "), message);
    }
}
