// What the products of gate and up leave.
#pragma once

#include "cuda/tasks.cuh"

namespace hydra::cuda {

struct Activation {
    bool is_gelu;  // or SiLU

    __device__ float operator()(float x) const { return is_gelu ? gelu(x) : silu(x); }
};

struct ActivateAndMultiply {
    Activation activation;
    float* out;
    int64_t columns;

    __device__ float2 operator()(int, int r, int64_t n, const float (&values)[2][2]) const {
        float stored[2] = {};
        for (int i = 0; i < 2 && n + i < columns; ++i) {
            out[r * columns + n + i] = stored[i] = activation(values[0][i]) * values[1][i];
        }
        return {stored[0], stored[1]};
    }
};

template <>
inline constexpr TaskKind TASK_KIND<ActivateAndMultiply> = TaskKind::GATE_UP;

}  // namespace hydra::cuda
