// RMSNorm of one row.
#pragma once

#include "cuda/platform.cuh"

namespace hydra::cuda {

// The sum over the block's threads, the same bits in each. warps: one float for each warp, in shared memory.
__device__ __forceinline__ float block_sum(float value, float* warps) {
    value = warp_sum(value);
    __syncthreads();
    if (lane_index() == 0) warps[warp_index()] = value;
    __syncthreads();
    float sum = 0;
    for (int w = 0; w < static_cast<int>(blockDim.x) / WARP; ++w) sum += warps[w];
    return sum;
}

// 1 / sqrt(mean(x^2) + epsilon) of a row, by all threads of a block. The order of additions is a matter of the columns
// and the block's size alone.
__device__ __forceinline__ float rms_scale(const float* x, int64_t columns, float epsilon, float* warps) {
    float squares = 0;
    for (int64_t c = threadIdx.x; c < columns; c += blockDim.x) squares = fmaf(x[c], x[c], squares);
    return 1.0f / sqrtf(block_sum(squares, warps) / static_cast<float>(columns) + epsilon);
}

}  // namespace hydra::cuda
