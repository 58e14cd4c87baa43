// The rows of a pass as kernels see them, and RMSNorm of one row.
#pragma once

#include "cuda/device.h"
#include "cuda/platform.cuh"

namespace hydra::cuda {

// 0 where the sequence was rewound after the rows were set.
__device__ __forceinline__ int active_rows(const RowsView& view) {
    return view.rows->generation == view.sequence->generation ? view.rows->count : 0;
}

__device__ __forceinline__ bool has_pages(const RowsView& view, int32_t first, int32_t rows) {
    return int64_t{first} + rows <= int64_t{view.sequence->page_count} * HYDRA_PAGE_POSITIONS;
}

__device__ __forceinline__ bool has_positions(const RowsView& view, int32_t first, int32_t depth) {
    return int64_t{first} + depth < view.rows->position_limit;
}

// Row i of a chain sees rows 0 ... i.
__device__ __forceinline__ uint64_t chain_ancestors(int i) { return ~uint64_t{0} >> (63 - i); }

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
