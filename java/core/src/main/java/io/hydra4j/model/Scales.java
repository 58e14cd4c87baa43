package io.hydra4j.model;

/**
 * Factors and soft caps of a model. A cap c turns x into {@code c * tanh(x / c)}.
 *
 * @param embedding what embeddings are multiplied by, 1 for none
 * @param residual what each attention and each feed-forward is multiplied by before it is added, 1 for none
 * @param scores what products of queries and keys are multiplied by, 0 for 1 ÷ √(head size)
 * @param scoreCap cap of these, 0 for none
 * @param logits what logits are multiplied by, 1 for none
 * @param logitCap cap of these, 0 for none
 */
public record Scales(float embedding, float residual, float scores, float scoreCap, float logits, float logitCap) {
    /** Of a model that has none. */
    public static final Scales NONE = new Scales(1, 1, 0, 0, 1, 0);

    /** The largest factor or cap; the smallest is its inverse. */
    static final float MAX = 1e6f;
    /** The smallest. */
    static final float MIN = 1 / MAX;

    /** Of a Gemma model, whose products of queries and keys are divided by the root of {@code perHead}. */
    static Scales gemma(int hidden, double perHead, float scoreCap, float logitCap) {
        return new Scales((float) Math.sqrt(hidden), 1, (float) (1 / Math.sqrt(perHead)), scoreCap, 1, logitCap);
    }
}
