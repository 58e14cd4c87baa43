package io.hydra4j.train;

import java.util.ArrayList;
import java.util.List;

/**
 * What training minimises: over all heads, the weighted sum of their mean cross-entropies to the tokens of the data and to the base's
 * distribution of the same token (distillation, the paper's "teacher loss"). Immutable; the {@code with} methods give changed copies. Two
 * are equal if all their values are.
 */
public final class Objective {
    /** Cross-entropy to the data alone, heads of equal weight. */
    public static final Objective DATA = new Objective(1, 0, List.of(), 0, 0);
    /** Cross-entropy to the base's distribution alone, heads of equal weight. */
    public static final Objective TEACHER = new Objective(0, 1, List.of(), 0, 0);

    private static final double MAX_WEIGHT = 1000;

    private final double dataWeight;
    private final double teacherWeight;
    private final List<Double> headWeights;
    private final double embeddingNoise;
    private final double dropout;

    private Objective(
            double dataWeight, double teacherWeight, List<Double> headWeights, double embeddingNoise, double dropout) {
        this.dataWeight = dataWeight;
        this.teacherWeight = teacherWeight;
        this.headWeights = headWeights;
        this.embeddingNoise = embeddingNoise;
        this.dropout = dropout;
    }

    /**
     * {@return this objective with other weights of the two cross-entropies}
     *
     * @param dataWeight of the cross-entropy to the tokens of the data, 0 to 1000
     * @param teacherWeight of the cross-entropy to the base's distribution, 0 to 1000
     * @throws IllegalArgumentException if one is out of range, or both are 0
     */
    public Objective withWeights(double dataWeight, double teacherWeight) {
        Ranges.require("dataWeight", dataWeight, 0, MAX_WEIGHT);
        Ranges.require("teacherWeight", teacherWeight, 0, MAX_WEIGHT);
        if (dataWeight == 0 && teacherWeight == 0) {
            throw new IllegalArgumentException("dataWeight and teacherWeight are 0: nothing would be learned");
        }
        return new Objective(dataWeight, teacherWeight, headWeights, embeddingNoise, dropout);
    }

    /**
     * {@return this objective with weights of the heads}
     *
     * @param headWeights one for each head, each 0 to 1000 and one of them above 0; none for equal weights of 1
     * @throws IllegalArgumentException if one is out of range, or all are 0
     */
    public Objective withHeadWeights(double... headWeights) {
        List<Double> weights = new ArrayList<>();
        for (double weight : headWeights) {
            Ranges.require("a weight of headWeights", weight, 0, MAX_WEIGHT);
            weights.add(weight);
        }
        if (!weights.isEmpty() && weights.stream().allMatch(weight -> weight == 0)) {
            throw new IllegalArgumentException("headWeights are all 0: nothing would be learned");
        }
        return new Objective(dataWeight, teacherWeight, List.copyOf(weights), embeddingNoise, dropout);
    }

    /**
     * {@return this objective with noise on the embeddings that grounded heads see, and without a prefix layer on the hidden state too:
     * uniform from -1 to 1, times alpha / sqrt(length of the sequence × hidden size)}
     *
     * @param alpha 0 for none, up to 100
     * @throws IllegalArgumentException if it is out of range
     */
    public Objective withEmbeddingNoise(double alpha) {
        Ranges.require("embeddingNoise", alpha, 0, 100);
        return new Objective(dataWeight, teacherWeight, headWeights, alpha, dropout);
    }

    /**
     * {@return this objective with dropout before every block and before the LM head}
     *
     * @param dropout the part of the values that are left out, 0 to 0.9
     * @throws IllegalArgumentException if it is out of range
     */
    public Objective withDropout(double dropout) {
        Ranges.require("dropout", dropout, 0, 0.9);
        return new Objective(dataWeight, teacherWeight, headWeights, embeddingNoise, dropout);
    }

    /** {@return the weight of the cross-entropy to the tokens of the data} */
    public double dataWeight() {
        return dataWeight;
    }

    /** {@return the weight of the cross-entropy to the base's distribution} */
    public double teacherWeight() {
        return teacherWeight;
    }

    /** {@return one weight for each head, or none for equal weights of 1} Unmodifiable. */
    public List<Double> headWeights() {
        return headWeights;
    }

    /** {@return the factor of the noise on embeddings} */
    public double embeddingNoise() {
        return embeddingNoise;
    }

    /** {@return the part of the values that are left out before every block and before the LM head} */
    public double dropout() {
        return dropout;
    }

    double headWeight(int head) {
        return headWeights.isEmpty() ? 1 : headWeights.get(head);
    }

    private List<Object> values() {
        return List.of(dataWeight, teacherWeight, headWeights, embeddingNoise, dropout);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Objective objective && values().equals(objective.values());
    }

    @Override
    public int hashCode() {
        return values().hashCode();
    }

    @Override
    public String toString() {
        return "Objective[" + facts() + "]";
    }

    Facts facts() {
        return new Facts()
                .add("dataWeight", dataWeight)
                .add("teacherWeight", teacherWeight)
                .add("headWeights", headWeights)
                .add("embeddingNoise", embeddingNoise)
                .add("dropout", dropout);
    }
}
