package io.hydra4j.model;

import io.hydra4j.runtime.Buffer;
import io.hydra4j.runtime.KvPool;
import io.hydra4j.runtime.Matrix;
import io.hydra4j.runtime.PassRows;
import io.hydra4j.runtime.Program;
import io.hydra4j.runtime.Rope;

/**
 * The loaded weights of one layer of a decoder, and the one place where its forward pass is spelled out. The base's layers and the
 * prefix layer of Hydra++ heads are both of this kind.
 */
public final class DecoderLayer {
    private final DecoderConfig config;
    private final int window;
    private final boolean normsTogether;
    private final Buffer attentionNorm;
    private final Matrix query;
    private final Matrix key;
    private final Matrix value;
    private final Matrix output;
    private final Buffer queryBias;
    private final Buffer keyBias;
    private final Buffer valueBias;
    private final Buffer outputBias;
    private final Buffer queryNorm;
    private final Buffer keyNorm;
    private final Buffer postAttentionNorm;
    private final Buffer feedForwardNorm;
    private final Buffer postFeedForwardNorm;
    private final Matrix gate;
    private final Matrix up;
    private final Matrix down;

    /**
     * Loads a layer.
     *
     * @param window positions that a row sees at most, itself included; 0 for all
     * @param rotated values of a head whose pairs lie half of them apart; those after them rotate with none
     * @param interleaved whether the rows of q and k already stand in pairs as {@link Rope} wants them
     * @param normOffset what is added to the weights of norms
     */
    DecoderLayer(
            WeightLoader loader,
            DecoderConfig config,
            int window,
            int rotated,
            DecoderTensors.Layer tensors,
            boolean interleaved,
            float normOffset) {
        this.config = config;
        this.window = window;
        int[] queryRows = interleaved ? null : interleave(config.heads(), rotated);
        int[] keyRows = interleaved ? null : interleave(config.kvHeads(), rotated);
        attentionNorm = loader.vector(tensors.attentionNorm(), null, normOffset);
        query = loader.matrix(tensors.q(), queryRows);
        key = loader.matrix(tensors.k(), keyRows);
        value = loader.matrix(tensors.v());
        output = loader.matrix(tensors.o());
        queryBias = loader.vector(tensors.qBias(), queryRows);
        keyBias = loader.vector(tensors.kBias(), keyRows);
        valueBias = loader.vector(tensors.vBias());
        outputBias = loader.vector(tensors.oBias());
        normsTogether = tensors.qNorm() != null && tensors.qNorm().values() != config.headSize();
        int[] headColumns = interleaved ? null : interleave(1, rotated);
        queryNorm = loader.vector(tensors.qNorm(), normsTogether ? queryRows : headColumns, normOffset);
        keyNorm = loader.vector(tensors.kNorm(), normsTogether ? keyRows : headColumns, normOffset);
        postAttentionNorm = loader.vector(tensors.postAttentionNorm(), null, normOffset);
        feedForwardNorm = loader.vector(tensors.feedForwardNorm(), null, normOffset);
        postFeedForwardNorm = loader.vector(tensors.postFeedForwardNorm(), null, normOffset);
        gate = loader.matrix(tensors.gate());
        up = loader.matrix(tensors.up());
        down = loader.matrix(tensors.down());
    }

    /**
     * Loads a layer of draft heads, which is one of Llama's, with SiLU and norms before, whatever the base's are; named and ordered as
     * Hugging Face does.
     *
     * @param base the configuration of the base
     */
    public static DecoderLayer ofDraft(WeightLoader loader, DecoderConfig base, DecoderTensors.Layer tensors) {
        return new DecoderLayer(loader, base.plain(), 0, base.headSize(), tensors, false, 0);
    }

    /**
     * Records {@code x += attention(norm(x)); x += feedForward(norm(x))} for the rows, or with norms of what is added; {@code x}
     * is {@code buffers.x()}. The hidden states in {@code buffers} hold anything afterwards.
     */
    public void record(Program program, PassRows rows, PassBuffers buffers, Rope rope, KvPool pool, int layer) {
        recordKeysAndValues(program, rows, buffers, rope, pool, layer);
        program.attention(
                rows,
                buffers.query(),
                config.heads(),
                pool,
                layer,
                config.scales().scores(),
                config.scales().scoreCap(),
                window,
                buffers.attention());
        add(program, rows, buffers, buffers.attention(), output, outputBias, postAttentionNorm);
        program.gateUp(
                rows,
                buffers.x(),
                feedForwardNorm,
                config.streamEpsilon(),
                gate,
                up,
                config.activation(),
                buffers.feedForward());
        add(program, rows, buffers, buffers.feedForward(), down, null, postFeedForwardNorm);
    }

    /** Records the beginning of {@link #record}: the rows' queries, and their keys and values, which are appended; {@code x} stays. */
    public void recordKeysAndValues(
            Program program, PassRows rows, PassBuffers buffers, Rope rope, KvPool pool, int layer) {
        program.qkv(
                rows,
                buffers.x(),
                attentionNorm,
                config.streamEpsilon(),
                query,
                key,
                value,
                queryBias,
                keyBias,
                valueBias,
                buffers.query(),
                buffers.key(),
                buffers.value());
        if (normsTogether) {
            program.norm(rows, buffers.query(), queryNorm, config.normEpsilon(), buffers.query());
            program.norm(rows, buffers.key(), keyNorm, config.normEpsilon(), buffers.key());
        }
        program.appendKv(
                rows,
                buffers.query(),
                buffers.key(),
                buffers.value(),
                config.heads(),
                normsTogether ? null : queryNorm,
                normsTogether ? null : keyNorm,
                config.normEpsilon(),
                rope,
                pool,
                layer);
    }

    /** Records x += weight in + bias, or the norm of that. */
    private void add(
            Program program, PassRows rows, PassBuffers buffers, Buffer in, Matrix weight, Buffer bias, Buffer norm) {
        if (norm == null) {
            program.linear(rows, in, weight, bias, buffers.x(), buffers.x());
            return;
        }
        program.linear(rows, in, weight, bias, null, buffers.hidden());
        program.norm(rows, buffers.hidden(), norm, config.normEpsilon(), buffers.x(), buffers.x());
    }

    /** Bytes of weights that one pass reads. */
    public long bytes() {
        return query.bytes() + key.bytes() + value.bytes() + output.bytes() + gate.bytes() + up.bytes() + down.bytes();
    }

    /** Where each row of a head-by-head matrix goes so that rows that rotate together become neighbours. */
    private int[] interleave(int heads, int rotated) {
        int headSize = config.headSize(), half = rotated / 2;
        int[] target = new int[heads * headSize];
        for (int i = 0; i < target.length; i++) {
            int column = i % headSize;
            int place = column >= rotated ? column : column < half ? 2 * column : 2 * (column - half) + 1;
            target[i] = i - column + place;
        }
        return target;
    }
}
