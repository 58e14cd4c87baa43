package io.hydra4j.model;

import io.hydra4j.runtime.Backend;
import io.hydra4j.runtime.BackendKind;
import io.hydra4j.runtime.Buffer;
import io.hydra4j.runtime.Resources;
import io.hydra4j.runtime.TreeTopology;

/**
 * The activations of one pass, each {@code float[rows][n]}.
 *
 * @param x residual stream, n = hidden
 * @param query queries, n = heads × head size
 * @param key keys, until they are in the pool, n = KV heads × head size
 * @param value values, likewise
 * @param attention attention outputs, n = heads × head size
 * @param feedForward gated values, n = feed-forward size
 * @param hidden normed last hidden states, n = hidden
 */
public record PassBuffers(
        Buffer x, Buffer query, Buffer key, Buffer value, Buffer attention, Buffer feedForward, Buffer hidden)
        implements AutoCloseable {
    /**
     * Zeroed buffers for passes of at most so many rows of a model of this configuration.
     *
     * @throws io.hydra4j.HydraException if memory is short; nothing is kept then
     */
    public static PassBuffers create(Backend backend, DecoderConfig config, long rows) {
        Resources made = new Resources();
        try {
            return new PassBuffers(
                    made.own(Buffer.floats(backend, rows * config.hidden())),
                    made.own(Buffer.floats(backend, rows * config.queryRows())),
                    made.own(Buffer.floats(backend, rows * config.keyValueRows())),
                    made.own(Buffer.floats(backend, rows * config.keyValueRows())),
                    made.own(Buffer.floats(backend, rows * config.queryRows())),
                    made.own(Buffer.floats(backend, rows * config.feedForward())),
                    made.own(Buffer.floats(backend, rows * config.hidden())));
        } catch (RuntimeException | Error e) {
            Resources.closeAfter(e, made);
            throw e;
        }
    }

    /** Bytes of such buffers. */
    static long bytes(DecoderConfig config, long rows) {
        long values =
                2L * config.hidden() + 2L * config.queryRows() + 2L * config.keyValueRows() + config.feedForward();
        return rows * values * Float.BYTES;
    }

    /**
     * Rows of a pass over prompts, at least those of a tree: a GPU reads its weights once for many, the processor is busy with
     * fewer.
     *
     * @param positions that there can be at most
     */
    public static int promptRows(Backend backend, long positions) {
        int most = backend.kind() == BackendKind.CUDA ? 512 : TreeTopology.MAX_NODES;
        return (int) Math.max(TreeTopology.MAX_NODES, Math.min(most, positions));
    }

    @Override
    public void close() {
        x.close();
        query.close();
        key.close();
        value.close();
        attention.close();
        feedForward.close();
        hidden.close();
    }
}
