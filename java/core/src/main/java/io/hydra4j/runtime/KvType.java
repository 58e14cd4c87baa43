package io.hydra4j.runtime;

import io.hydra4j.HydraException;

/** How the paged keys and values of a model are kept, those of its draft heads' own layer included. */
public enum KvType {
    /**
     * On CUDA {@link #F16}, as half the bytes are read, unless the matrices are 32-bit floats: such a model is computed in
     * these alone. {@link #F32} on the CPU.
     */
    AUTO,
    /** 32-bit floats. On CUDA the matrix instruction has no part in attention then. */
    F32,
    /** 16-bit floats, on CUDA alone: rounded to nearest when they are stored, 65504 for what is larger. */
    F16;

    /**
     * The type that it means on a backend.
     *
     * @param backend where keys and values will be kept
     * @param floats whether the model's matrices are 32-bit floats
     * @return {@link WeightType#F32} or {@link WeightType#F16}
     * @throws HydraException if it is {@link #F16} and the backend is the CPU's
     */
    public WeightType on(Backend backend, boolean floats) {
        boolean cpu = backend.kind() == BackendKind.CPU;
        if (cpu && this == F16) {
            String fallback = backend.fallback();
            throw new HydraException("the type of keys and values (kv) is f16, and the CPU"
                    + (fallback.isEmpty() ? "" : ", which computes as CUDA cannot (" + fallback + "),")
                    + " keeps them as f32 alone: take auto or f32, or compute with CUDA");
        }
        return this == F32 || cpu || this == AUTO && floats ? WeightType.F32 : WeightType.F16;
    }
}
