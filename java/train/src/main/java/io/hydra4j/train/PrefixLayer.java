package io.hydra4j.train;

import io.hydra4j.model.DecoderConfig;
import io.hydra4j.train.device.AttentionPass;
import io.hydra4j.train.device.Texts;
import io.hydra4j.train.device.TrainBuffer;
import io.hydra4j.train.device.TrainDevice;

/**
 * The prefix layer of Hydra++ heads over a batch, a layer of Llama's whatever the base's are: {@code x = states; x += attention(norm(x)); x += feedForward(norm(x)); norm(x)}. Not
 * thread-safe.
 */
final class PrefixLayer {
    private final TrainDevice device;
    private final DecoderConfig base;
    private final ParameterViews views;
    private final float[] frequencies;

    private final Norm attentionNorm;
    private final Norm feedForwardNorm;
    private final Norm finalNorm;

    private final TrainBuffer query;
    private final TrainBuffer key;
    private final TrainBuffer value;
    private final TrainBuffer attention;
    private final TrainBuffer logSum;
    /** States after attention, and after the feed-forward network. */
    private final TrainBuffer attended;

    private final TrainBuffer fed;
    private final TrainBuffer gate;
    private final TrainBuffer up;
    private final TrainBuffer gated;
    private final TrainBuffer result;

    private final TrainBuffer gradient;
    private final TrainBuffer gState;
    private final TrainBuffer gNormed;
    private final TrainBuffer gInner;
    private final TrainBuffer gGate;
    private final TrainBuffer gAttention;
    private final TrainBuffer gQuery;
    private final TrainBuffer gKey;
    private final TrainBuffer gValue;

    /** A norm with what its backward operation needs. */
    private record Norm(String name, TrainBuffer y, TrainBuffer inverse) {}

    /** @param positions the most of a batch */
    PrefixLayer(TrainDevice device, DecoderConfig base, ParameterViews views, long positions) {
        this.device = device;
        this.base = base;
        this.views = views;
        frequencies = base.draftAngles().array();
        long hidden = positions * base.hidden();
        long queries = positions * base.queryRows();
        long keys = positions * base.keyValueRows();
        long inner = positions * base.feedForward();
        attentionNorm = norm("input_layernorm.weight", positions);
        feedForwardNorm = norm("post_attention_layernorm.weight", positions);
        result = device.floats(hidden);
        finalNorm = new Norm(HeadParameters.PREFIX_NORM, result, device.floats(positions));
        query = device.floats(queries);
        key = device.floats(keys);
        value = device.floats(keys);
        attention = device.floats(queries);
        logSum = device.floats(positions * base.heads());
        attended = device.floats(hidden);
        fed = device.floats(hidden);
        gate = device.floats(inner);
        up = device.floats(inner);
        gated = device.floats(inner);
        gradient = device.floats(hidden);
        gState = device.floats(hidden);
        gNormed = device.floats(hidden);
        gInner = device.floats(inner);
        gGate = device.floats(inner);
        gAttention = device.floats(queries);
        gQuery = device.floats(queries);
        gKey = device.floats(keys);
        gValue = device.floats(keys);
    }

    /** Values that a batch of so many positions keeps. */
    static long values(DecoderConfig base, long positions) {
        return positions
                * (8L * base.hidden()
                        + 4L * base.queryRows()
                        + 4L * base.keyValueRows()
                        + 5L * base.feedForward()
                        + base.heads()
                        + 3);
    }

    private Norm norm(String name, long positions) {
        return new Norm(
                HeadParameters.PREFIX_LAYER + name, device.floats(positions * base.hidden()), device.floats(positions));
    }

    /** The layer's states, {@code [positions][hidden]}, of the base's. */
    TrainBuffer forward(Texts texts, TrainBuffer states) {
        long rows = texts.rows();
        int hidden = base.hidden();
        forward(attentionNorm, rows, states);
        linear(rows, hidden, base.queryRows(), attentionNorm.y(), "self_attn.q_proj", false, query);
        linear(rows, hidden, base.keyValueRows(), attentionNorm.y(), "self_attn.k_proj", false, key);
        linear(rows, hidden, base.keyValueRows(), attentionNorm.y(), "self_attn.v_proj", false, value);
        device.rope(texts, base.heads(), base.headSize(), frequencies, false, query);
        device.rope(texts, base.kvHeads(), base.headSize(), frequencies, false, key);
        device.attentionForward(attention(texts));
        device.copyColumns(rows, hidden, states, hidden, 0, attended, hidden, 0);
        linear(rows, base.queryRows(), hidden, attention, "self_attn.o_proj", true, attended);
        forward(feedForwardNorm, rows, attended);
        linear(rows, hidden, base.feedForward(), feedForwardNorm.y(), "mlp.gate_proj", false, gate);
        linear(rows, hidden, base.feedForward(), feedForwardNorm.y(), "mlp.up_proj", false, up);
        device.swigluForward(rows * base.feedForward(), gate, up, gated);
        device.copyColumns(rows, hidden, attended, hidden, 0, fed, hidden, 0);
        linear(rows, base.feedForward(), hidden, gated, "mlp.down_proj", true, fed);
        forward(finalNorm, rows, fed);
        return result;
    }

    private AttentionPass attention(Texts texts) {
        return new AttentionPass(
                texts, base.heads(), base.kvHeads(), base.headSize(), query, key, value, attention, logSum);
    }

    private void forward(Norm norm, long rows, TrainBuffer x) {
        device.rmsNormForward(
                rows, base.hidden(), base.normEpsilon(), x, views.value(norm.name()), norm.y(), norm.inverse());
    }

    private static String weight(String name) {
        return HeadParameters.PREFIX_LAYER + name + ".weight";
    }

    private void linear(long rows, long inputs, long outputs, TrainBuffer x, String name, boolean add, TrainBuffer y) {
        device.linearForward(rows, inputs, outputs, x, views.value(weight(name)), null, add, y);
    }

    /** Where heads add the gradients of the layer's states, {@code [positions][hidden]}; {@link #forward} does not zero it. */
    TrainBuffer gradient() {
        return gradient;
    }

    /** Adds the gradients of the layer's parameters. */
    void backward(Texts texts, TrainBuffer states) {
        long rows = texts.rows();
        int hidden = base.hidden();
        backward(finalNorm, rows, fed, gradient, false, gState);
        linearBackward(rows, base.feedForward(), hidden, gated, "mlp.down_proj", gState, false, gInner);
        device.swigluBackward(rows * base.feedForward(), gate, up, gInner, gGate, gInner);
        linearBackward(rows, hidden, base.feedForward(), feedForwardNorm.y(), "mlp.gate_proj", gGate, false, gNormed);
        linearBackward(rows, hidden, base.feedForward(), feedForwardNorm.y(), "mlp.up_proj", gInner, true, gNormed);
        backward(feedForwardNorm, rows, attended, gNormed, true, gState);
        linearBackward(rows, base.queryRows(), hidden, attention, "self_attn.o_proj", gState, false, gAttention);
        device.attentionBackward(attention(texts), new AttentionPass.Gradients(gAttention, gQuery, gKey, gValue));
        device.rope(texts, base.heads(), base.headSize(), frequencies, true, gQuery);
        device.rope(texts, base.kvHeads(), base.headSize(), frequencies, true, gKey);
        linearBackward(rows, hidden, base.queryRows(), attentionNorm.y(), "self_attn.q_proj", gQuery, false, gNormed);
        linearBackward(rows, hidden, base.keyValueRows(), attentionNorm.y(), "self_attn.k_proj", gKey, true, gNormed);
        linearBackward(rows, hidden, base.keyValueRows(), attentionNorm.y(), "self_attn.v_proj", gValue, true, gNormed);
        // The states are the base's, which is frozen: their own gradient is nobody's.
        backward(attentionNorm, rows, states, gNormed, false, null);
    }

    private void backward(Norm norm, long rows, TrainBuffer x, TrainBuffer gy, boolean add, TrainBuffer gX) {
        device.rmsNormBackward(
                rows,
                base.hidden(),
                x,
                views.value(norm.name()),
                norm.inverse(),
                gy,
                add,
                gX,
                views.gradient(norm.name()));
    }

    private void linearBackward(
            long rows,
            long inputs,
            long outputs,
            TrainBuffer x,
            String name,
            TrainBuffer gy,
            boolean add,
            TrainBuffer gX) {
        device.linearBackward(
                rows,
                inputs,
                outputs,
                x,
                views.value(weight(name)),
                gy,
                add,
                inputs,
                gX,
                views.gradient(weight(name)),
                null);
    }
}
