// What a product leaves that has a bias or adds to a residual.
#pragma once

#include "cuda/tasks.cuh"

namespace hydra::cuda {

struct StoreLinear {
    const float *bias, *residual;  // or null; residual may be out
    float* out;
    int64_t columns;

    __device__ float2 operator()(int, int r, int64_t n, const float (&values)[1][2]) const {
        float stored[2] = {};
        for (int i = 0; i < 2 && n + i < columns; ++i) {
            const int64_t at = r * columns + n + i;
            const float value = bias != nullptr ? values[0][i] + bias[n + i] : values[0][i];
            out[at] = stored[i] = residual != nullptr ? residual[at] + value : value;
        }
        return {stored[0], stored[1]};
    }
};

template <>
inline constexpr TaskKind TASK_KIND<StoreLinear> = TaskKind::LINEAR;

}  // namespace hydra::cuda
