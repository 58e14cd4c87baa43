package io.hydra4j.model;

import io.hydra4j.runtime.Activation;
import java.util.Comparator;
import java.util.List;

/**
 * The sizes and constants of a decoder, whatever its family: what the forward pass is recorded from. Readers of files take nothing
 * on trust: every value is compared with the limits stated here, and features that the forward pass does not have are errors, never
 * ignored. What else a model may have shows in its {@link DecoderTensors}, as biases and norms of heads do. Immutable.
 *
 * @param layers transformer layers
 * @param hidden values of a hidden state
 * @param heads query heads
 * @param kvHeads key and value heads; divides {@code heads}
 * @param headSize values of a head, a multiple of 8; {@code heads * headSize} need not be {@code hidden}
 * @param feedForward values of the inner feed-forward vector
 * @param vocabulary tokens; ids run from 0 to {@code vocabulary - 1}
 * @param context the most tokens of a sequence
 * @param shortContext where angles depend on the context (LongRoPE) and are those of one above the original: the original, up to which
 *     there are others; else 0
 * @param normEpsilon what RMSNorm adds to the mean square
 * @param activation what the gated MLP applies to its gate
 * @param tiedEmbedding whether the LM head is the embedding matrix
 * @param bosId the token that begins a text, -1 if there is none
 * @param eosIds the tokens that end a text, any of them; may be empty
 * @param attention {@code [layers]}: angles and window of each layer
 * @param scales factors and caps
 */
public record DecoderConfig(
        int layers,
        int hidden,
        int heads,
        int kvHeads,
        int headSize,
        int feedForward,
        int vocabulary,
        int context,
        int shortContext,
        float normEpsilon,
        Activation activation,
        boolean tiedEmbedding,
        int bosId,
        List<Integer> eosIds,
        List<LayerAttention> attention,
        Scales scales) {
    /** The most layers. */
    public static final int MAX_LAYERS = 1 << 10;
    /** The largest hidden size; also the limit of {@code heads * headSize}. */
    public static final int MAX_HIDDEN = 1 << 16;
    /** The most query heads. */
    public static final int MAX_HEADS = 1 << 10;
    /** The largest head size. */
    public static final int MAX_HEAD_SIZE = 256;
    /** What the head size must be a multiple of. */
    public static final int HEAD_SIZE_STEP = 8;
    /** The largest feed-forward size. */
    public static final int MAX_FEED_FORWARD = 1 << 20;
    /** The largest vocabulary. */
    public static final int MAX_VOCABULARY = 1 << 21;
    /** The longest context. */
    public static final int MAX_CONTEXT = 1 << 21;
    /** The most end-of-sequence ids that one field may list. */
    public static final int MAX_EOS_IDS = 64;
    /** The largest RoPE base; the smallest is 1. */
    public static final float MAX_ROPE_BASE = 1e12f;
    /** The largest factor by which frequencies of RoPE are divided. */
    public static final float MAX_ROPE_FACTOR = 1e6f;
    /** The largest RMSNorm epsilon; the smallest is the smallest normal float. */
    public static final float MAX_NORM_EPSILON = 1;

    /** Makes the lists unmodifiable. */
    public DecoderConfig {
        eosIds = List.copyOf(eosIds);
        attention = List.copyOf(attention);
        if (attention.size() != layers) {
            throw new IllegalArgumentException("attention of " + attention.size() + " layers, must be of " + layers);
        }
    }

    /**
     * A model whose layers all see everything and rotate whole heads, without factors and caps.
     *
     * @param ropeBase base of the rotary frequencies
     */
    public DecoderConfig(
            int layers,
            int hidden,
            int heads,
            int kvHeads,
            int headSize,
            int feedForward,
            int vocabulary,
            int context,
            float ropeBase,
            float normEpsilon,
            Activation activation,
            boolean tiedEmbedding,
            int bosId,
            List<Integer> eosIds) {
        this(
                layers,
                hidden,
                heads,
                kvHeads,
                headSize,
                feedForward,
                vocabulary,
                context,
                0,
                normEpsilon,
                activation,
                tiedEmbedding,
                bosId,
                eosIds,
                LayerAttention.same(layers, RopeAngles.of(headSize, headSize, ropeBase)),
                Scales.NONE);
    }

    /** Rows of the query projection: {@code heads * headSize}. */
    public int queryRows() {
        return heads * headSize;
    }

    /** Rows of the key projection and of the value projection: {@code kvHeads * headSize}. */
    public int keyValueRows() {
        return kvHeads * headSize;
    }

    /** Values of a head that rotate in the layers where any do; those after them never do. */
    int rotated() {
        return attention.stream()
                .filter(layer -> layer.rope().rotates())
                .mapToInt(layer -> 2 * layer.rope().pairs())
                .findFirst()
                .orElse(headSize);
    }

    /**
     * What the norms of the residual stream add to the mean square. The stream is kept divided by the residual's factor, so that
     * layers add to it as they are.
     */
    float streamEpsilon() {
        return normEpsilon / (scales.residual() * scales.residual());
    }

    /** How the heads of a layer of draft heads rotate: as those of a layer that sees everything, if there is one; whole heads. */
    public RopeAngles draftAngles() {
        return attention.stream()
                .filter(layer -> layer.rope().rotates())
                .min(Comparator.comparingInt(LayerAttention::window))
                .orElse(attention.get(0))
                .rope()
                .withScale(1);
    }

    /** The same with the frequencies of all layers divided, pair by pair. */
    DecoderConfig withDividedAngles(float[] factors) {
        return with(
                attention.stream()
                        .map(layer -> new LayerAttention(layer.rope().dividedBy(i -> factors[i]), layer.window()))
                        .toList(),
                activation,
                scales);
    }

    /** The same with SiLU and without factors and caps, as layers of draft heads are. */
    DecoderConfig plain() {
        return with(attention, Activation.SILU, Scales.NONE);
    }

    private DecoderConfig with(List<LayerAttention> attention, Activation activation, Scales scales) {
        return new DecoderConfig(
                layers,
                hidden,
                heads,
                kvHeads,
                headSize,
                feedForward,
                vocabulary,
                context,
                shortContext,
                normEpsilon,
                activation,
                tiedEmbedding,
                bosId,
                eosIds,
                attention,
                scales);
    }
}
