package io.hydra4j.model;

import io.hydra4j.runtime.Activation;
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
 * @param ropeBase base of the rotary frequencies
 * @param normEpsilon what RMSNorm adds to the mean square
 * @param activation what the gated MLP applies to its gate
 * @param tiedEmbedding whether the LM head is the embedding matrix
 * @param bosId the token that begins a text, -1 if there is none
 * @param eosIds the tokens that end a text, any of them; may be empty
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
        float ropeBase,
        float normEpsilon,
        Activation activation,
        boolean tiedEmbedding,
        int bosId,
        List<Integer> eosIds) {
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
    /** The largest RMSNorm epsilon; the smallest is the smallest normal float. */
    public static final float MAX_NORM_EPSILON = 1;

    /** Makes the list of ids unmodifiable. */
    public DecoderConfig {
        eosIds = List.copyOf(eosIds);
    }

    /** Rows of the query projection: {@code heads * headSize}. */
    public int queryRows() {
        return heads * headSize;
    }

    /** Rows of the key projection and of the value projection: {@code kvHeads * headSize}. */
    public int keyValueRows() {
        return kvHeads * headSize;
    }
}
