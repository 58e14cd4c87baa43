package io.hydra4j.decode;

import java.util.List;

/**
 * Which guesses a step keeps. Immutable; two are equal if all their values are.
 *
 * <p><b>Exact</b>, the default, keeps a guess that is the token the model itself would emit there. The text is that of plain
 * decoding, whatever is guessed.
 *
 * <p><b>Typical</b> loses that: it keeps a guess that is likely enough. With p = softmax(logits / temperature) after the guess's
 * parent and H = -sum p log(p + 1e-5), which is p's entropy, that is one of p(guess) &gt; min(epsilon, alpha exp(-H)). A step emits
 * the root, which is always the arg-max, and the longest path of such guesses, among equally long ones the likeliest, and the first
 * where these are equally likely, too. Nothing is drawn: the temperature is that of the test alone. Steps emit more tokens; the text
 * is neither that of plain decoding nor a sample of the model's, and depends on what was guessed: on heads and trees, and with {@code
 * AUTO}, which chooses trees by time, it may differ from run to run. Published with Medusa and Hydra.
 */
public final class Acceptance {
    /** Of {@link #typical()}: 0.7. */
    public static final float TEMPERATURE = 0.7f;

    /** Of {@link #typical()}: 0.09, for which alpha is 0.3. */
    public static final float EPSILON = 0.09f;

    private static final Acceptance EXACT = new Acceptance(0, 0, 0);

    private final float temperature;
    private final float epsilon;
    private final float alpha;

    private Acceptance(float temperature, float epsilon, float alpha) {
        this.temperature = temperature;
        this.epsilon = epsilon;
        this.alpha = alpha;
    }

    /** {@return the acceptance that loses nothing} */
    public static Acceptance exact() {
        return EXACT;
    }

    /** {@return typical acceptance, which changes the text, with {@link #EPSILON}} */
    public static Acceptance typical() {
        return typical(EPSILON);
    }

    /**
     * {@return typical acceptance, which changes the text, where alpha is the square root of epsilon}
     *
     * @param epsilon what is likelier than this is always kept: above 0, at most 1
     * @throws IllegalArgumentException if it is out of range
     */
    public static Acceptance typical(float epsilon) {
        return typical(requireShare("epsilon", epsilon), (float) Math.sqrt(epsilon));
    }

    /**
     * {@return typical acceptance, which changes the text, at the temperature {@link #TEMPERATURE}}
     *
     * @param epsilon what is likelier than this is always kept: above 0, at most 1
     * @param alpha how much likelier than exp(-entropy) a guess must be that is less likely than epsilon: above 0, at most 1
     * @throws IllegalArgumentException if one is out of range
     */
    public static Acceptance typical(float epsilon, float alpha) {
        return new Acceptance(TEMPERATURE, requireShare("epsilon", epsilon), requireShare("alpha", alpha));
    }

    private static float requireShare(String name, float value) {
        if (!(value > 0 && value <= 1)) {
            throw new IllegalArgumentException(name + " is " + value + ": give a number above 0, at most 1");
        }
        return value;
    }

    /**
     * {@return this typical acceptance at another temperature}
     *
     * @param temperature of the test, positive and finite: the lower it is, the fewer guesses are likely enough
     * @throws IllegalArgumentException if it is not
     * @throws IllegalStateException if this is exact acceptance, which has none
     */
    public Acceptance withTemperature(float temperature) {
        if (!isTypical()) {
            throw new IllegalStateException("exact acceptance has no temperature: begin with Acceptance.typical()");
        }
        if (!(temperature > 0 && temperature < Float.POSITIVE_INFINITY)) {
            throw new IllegalArgumentException(
                    "temperature is " + temperature + ": give a positive number, such as " + TEMPERATURE);
        }
        return new Acceptance(temperature, epsilon, alpha);
    }

    /** {@return whether it is typical, and not exact} */
    public boolean isTypical() {
        return temperature > 0;
    }

    /** {@return the temperature of the test; 0 where this is exact} */
    public float temperature() {
        return temperature;
    }

    /** {@return the probability above which a guess is always kept; 0 where this is exact} */
    public float epsilon() {
        return epsilon;
    }

    /** {@return the share of exp(-entropy) above which a guess is kept; 0 where this is exact} */
    public float alpha() {
        return alpha;
    }

    /**
     * Refuses tokens that are drawn, or selected by other than the model's logits, where guesses are judged by those.
     *
     * @param sampling null where the best tokens are selected for good
     * @throws IllegalArgumentException if this is typical acceptance and they are
     */
    void requireFit(Sampling sampling) {
        if (isTypical() && sampling != null && !sampling.isGreedy()) {
            throw new IllegalArgumentException("typical acceptance with " + sampling + ": it draws nothing, and its own"
                    + " temperature is that of its test; leave out the sampling, or accept exactly");
        }
    }

    private List<Float> values() {
        return List.of(temperature, epsilon, alpha);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Acceptance acceptance && values().equals(acceptance.values());
    }

    @Override
    public int hashCode() {
        return values().hashCode();
    }

    @Override
    public String toString() {
        return isTypical()
                ? "typical[temperature=" + temperature + ", epsilon=" + epsilon + ", alpha=" + alpha + "]"
                : "exact";
    }
}
