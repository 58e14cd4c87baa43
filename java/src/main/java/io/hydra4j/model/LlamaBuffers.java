package io.hydra4j.model;

import io.hydra4j.runtime.Backend;
import io.hydra4j.runtime.Buffer;
import io.hydra4j.runtime.Rows;

/**
 * The activations of one pass, each {@code float[64][n]}: a row for each of {@link Rows#MAX_ROWS} rows.
 *
 * @param x residual stream, n = hidden
 * @param query queries, n = heads × head size
 * @param attention attention outputs, n = heads × head size
 * @param feedForward gated values, n = feed-forward size
 * @param hidden normed last hidden states, n = hidden
 */
public record LlamaBuffers(Buffer x, Buffer query, Buffer attention, Buffer feedForward, Buffer hidden)
        implements AutoCloseable {
    /** Buffers for a model of this configuration. */
    public static LlamaBuffers create(Backend backend, LlamaConfig config) {
        long attention = (long) config.heads() * config.headSize();
        return new LlamaBuffers(
                rows(backend, config.hidden()),
                rows(backend, attention),
                rows(backend, attention),
                rows(backend, config.feedForward()),
                rows(backend, config.hidden()));
    }

    /** A zeroed {@code float[64][columns]}. */
    public static Buffer rows(Backend backend, long columns) {
        return Buffer.floats(backend, Rows.MAX_ROWS * columns);
    }

    @Override
    public void close() {
        x.close();
        query.close();
        attention.close();
        feedForward.close();
        hidden.close();
    }
}
