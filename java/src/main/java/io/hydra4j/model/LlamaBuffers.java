package io.hydra4j.model;

import io.hydra4j.runtime.Backend;
import io.hydra4j.runtime.Buffer;

/**
 * The activations of one pass, each {@code float[rows][n]}.
 *
 * @param x residual stream, n = hidden
 * @param query queries, n = heads × head size
 * @param attention attention outputs, n = heads × head size
 * @param feedForward gated values, n = feed-forward size
 * @param hidden normed last hidden states, n = hidden
 */
public record LlamaBuffers(Buffer x, Buffer query, Buffer attention, Buffer feedForward, Buffer hidden)
        implements AutoCloseable {
    /** Zeroed buffers for passes of at most so many rows of a model of this configuration. */
    public static LlamaBuffers create(Backend backend, LlamaConfig config, long rows) {
        long attention = (long) config.heads() * config.headSize();
        return new LlamaBuffers(
                Buffer.floats(backend, rows * config.hidden()),
                Buffer.floats(backend, rows * attention),
                Buffer.floats(backend, rows * attention),
                Buffer.floats(backend, rows * config.feedForward()),
                Buffer.floats(backend, rows * config.hidden()));
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
