// A product that has a bias and adds to a residual, or multiplies one.
#pragma once

#include "cuda/product.cuh"

namespace hydra::cuda {

struct StoreLinear {
    const float *bias, *residual;  // or null; residual may be out
    float* out;
    int64_t columns;
    bool multiplies = false;  // the residual, instead of adding to it

    __device__ float2 operator()(int, int r, int64_t n, const float (&values)[1][2]) const {
        float stored[2] = {};
        for (int i = 0; i < 2 && n + i < columns; ++i) {
            const int64_t at = r * columns + n + i;
            float value = bias != nullptr ? values[0][i] + bias[n + i] : values[0][i];
            if (residual != nullptr) value = multiplies ? residual[at] * value : residual[at] + value;
            out[at] = stored[i] = value;
        }
        return {stored[0], stored[1]};
    }
};

template <>
inline constexpr TaskKind TASK_KIND<StoreLinear> = TaskKind::LINEAR;

// Enqueues the product of rows that have been prepared. left: null where its rows are not left for the next operation.
hydra_status launch_linear(Stream* stream, const char* name, const Products<1>& work, const StoreLinear& store,
                           Handover* left = nullptr);

}  // namespace hydra::cuda
