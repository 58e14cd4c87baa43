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
    private final Buffer feedForwardNorm;
    private final Matrix gate;
    private final Matrix up;
    private final Matrix down;

    /**
     * Loads a layer.
     *
     * @param interleaved whether the rows of q and k already stand in pairs as {@link Rope} wants them
     */
    public DecoderLayer(WeightLoader loader, DecoderConfig config, DecoderTensors.Layer tensors, boolean interleaved) {
        this.config = config;
        int[] queryRows = interleaved ? null : interleave(config.heads(), config.headSize());
        int[] keyRows = interleaved ? null : interleave(config.kvHeads(), config.headSize());
        attentionNorm = loader.vector(tensors.attentionNorm());
        query = loader.matrix(tensors.q(), queryRows);
        key = loader.matrix(tensors.k(), keyRows);
        value = loader.matrix(tensors.v());
        output = loader.matrix(tensors.o());
        queryBias = loader.vector(tensors.qBias(), queryRows);
        keyBias = loader.vector(tensors.kBias(), keyRows);
        valueBias = loader.vector(tensors.vBias());
        outputBias = loader.vector(tensors.oBias());
        int[] headColumns = interleaved ? null : interleave(1, config.headSize());
        queryNorm = loader.vector(tensors.qNorm(), headColumns);
        keyNorm = loader.vector(tensors.kNorm(), headColumns);
        feedForwardNorm = loader.vector(tensors.feedForwardNorm());
        gate = loader.matrix(tensors.gate());
        up = loader.matrix(tensors.up());
        down = loader.matrix(tensors.down());
    }

    /** Records {@code x += attention(norm(x)); x += feedForward(norm(x))} for the rows; {@code x} is {@code buffers.x()}. */
    public void record(Program program, PassRows rows, PassBuffers buffers, Rope rope, KvPool pool, int layer) {
        program.qkv(
                rows,
                buffers.x(),
                attentionNorm,
                config.normEpsilon(),
                query,
                key,
                value,
                queryBias,
                keyBias,
                valueBias,
                buffers.query(),
                buffers.key(),
                buffers.value());
        program.appendKv(
                rows,
                buffers.query(),
                buffers.key(),
                buffers.value(),
                config.heads(),
                queryNorm,
                keyNorm,
                config.normEpsilon(),
                rope,
                pool,
                layer);
        program.attention(rows, buffers.query(), config.heads(), pool, layer, buffers.attention());
        program.linear(rows, buffers.attention(), output, outputBias, buffers.x(), buffers.x());
        program.gateUp(
                rows,
                buffers.x(),
                feedForwardNorm,
                config.normEpsilon(),
                gate,
                up,
                config.activation(),
                buffers.feedForward());
        program.linear(rows, buffers.feedForward(), down, null, buffers.x(), buffers.x());
    }

    /** Bytes of weights that one pass reads. */
    public long bytes() {
        return query.bytes() + key.bytes() + value.bytes() + output.bytes() + gate.bytes() + up.bytes() + down.bytes();
    }

    /** Where each row of a head-by-head matrix goes so that rows half a head apart become neighbours. */
    private static int[] interleave(int heads, int headSize) {
        int[] target = new int[heads * headSize];
        int half = headSize / 2;
        for (int i = 0; i < target.length; i++) {
            int column = i % headSize;
            target[i] = i - column + (column < half ? 2 * column : 2 * (column - half) + 1);
        }
        return target;
    }
}
