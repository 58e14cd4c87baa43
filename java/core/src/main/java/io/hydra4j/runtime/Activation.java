package io.hydra4j.runtime;

import io.hydra4j.runtime.bindings.Native;

/** What a gated MLP applies to its gate. */
public enum Activation {
    /** x / (1 + exp(-x)). */
    SILU(Native.HYDRA_SILU),
    /** x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2: GELU by its approximation with tanh. */
    GELU(Native.HYDRA_GELU);

    private final int code;

    Activation(int code) {
        this.code = code;
    }

    /** The number that the C ABI knows it by. */
    int code() {
        return code;
    }
}
