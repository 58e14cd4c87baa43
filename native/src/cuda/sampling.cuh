// What selecting tokens does with a row of logits, by a block: the same bits as the CPU's.
#pragma once

#include "cuda/device.h"
#include "cuda/levels.cuh"

namespace hydra::cuda {

struct Best {
    float score;
    int32_t token;
};

// The greater score; of equal ones the smaller token.
__device__ __forceinline__ Best better(Best a, Best b) {
    return b.score > a.score || (b.score == a.score && b.token < a.token) ? b : a;
}

// The best of the block's threads, in each of them. warps: [warps of the block] in shared memory.
__device__ __forceinline__ Best block_best(Best own, Best* warps) {
    for (int mask = WARP / 2; mask > 0; mask /= 2) {
        const float score = __shfl_xor_sync(ALL_LANES, own.score, mask);
        const int32_t token = __shfl_xor_sync(ALL_LANES, own.token, mask);
        own = better(own, {score, token});
    }
    __syncthreads();  // what was there before has been read
    if (lane_index() == 0) warps[warp_index()] = own;
    __syncthreads();
    Best best = warps[0];
    for (int w = 1; w < static_cast<int>(blockDim.x) / WARP; ++w) best = better(best, warps[w]);
    return best;
}

// The sum over the block's threads, in each of them.
__device__ __forceinline__ int64_t block_sum(int64_t value, int64_t* warps) {
    for (int mask = WARP / 2; mask > 0; mask /= 2) value += __shfl_xor_sync(ALL_LANES, value, mask);
    __syncthreads();
    if (lane_index() == 0) warps[warp_index()] = value;
    __syncthreads();
    int64_t sum = 0;
    for (int w = 0; w < static_cast<int>(blockDim.x) / WARP; ++w) sum += warps[w];
    return sum;
}

__device__ __forceinline__ int64_t mass(float distance) { return mass_of<scalar::U32>(scalar::F32{distance}).v; }

// The noise of tokens at the position of a row: what prepare_selection has drawn, or drawn now.
struct RowNoise {
    const float* prepared;  // or null
    uint64_t seed;
    int32_t position;

    __device__ __forceinline__ float operator()(int32_t token) const {
        return prepared != nullptr ? prepared[token] : noise_of(seed, position, token);
    }
};

__device__ __forceinline__ RowNoise noise_of_row(const SamplingView& sampling, const SelectedRow& at) {
    const bool there = sampling.has_noise(at.sequence, at.position);
    return {there ? sampling.noise_at(at.sequence, at.position) : nullptr, sampling.options[at.sequence].seed,
            at.position};
}

// The greatest value(i), i < count, and its first index, in each thread.
template <class Value>
__device__ __forceinline__ Best best_of(int32_t count, Best* warps, Value&& value) {
    Best own{-INFINITY, INT32_MAX};
    for (int32_t i = static_cast<int32_t>(threadIdx.x); i < count; i += static_cast<int32_t>(blockDim.x)) {
        own = better(own, {value(i), i});
    }
    return block_best(own, warps);
}

// The sum of term(i), i < count, in each thread.
template <class Term>
__device__ __forceinline__ int64_t sum_of(int32_t count, int64_t* warps, Term&& term) {
    int64_t own = 0;
    for (int32_t i = static_cast<int32_t>(threadIdx.x); i < count; i += static_cast<int32_t>(blockDim.x)) {
        own += term(i);
    }
    return block_sum(own, warps);
}

}  // namespace hydra::cuda
