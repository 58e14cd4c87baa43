// CUDA itself, or its emulation where an ordinary compiler reads the source, and the few things for which the two
// differ. Device code uses nothing but this: dynamic shared memory, whole warps, one-dimensional blocks.
#pragma once

#include <stdint.h>

#ifdef __CUDACC__
#include <cuda_fp16.h>
#include <cuda_runtime.h>
#else
#include <chrono>

#include "cuda/emulation/cuda.h"
#include "program/half.h"
#endif

namespace hydra::cuda {

constexpr unsigned ALL_LANES = 0xffffffff;
constexpr int WARP = 32;

// The block's dynamic shared memory as one T.
template <class T>
__device__ __forceinline__ T& shared_memory() {
#ifdef __CUDACC__
    extern __shared__ __align__(16) unsigned char shared_bytes[];
    return *reinterpret_cast<T*>(shared_bytes);
#else
    return *static_cast<T*>(emulation::shared_memory());
#endif
}

__device__ __forceinline__ float float_of_half(uint16_t half) {
#ifdef __CUDACC__
    return __half2float(__ushort_as_half(half));
#else
    return half_to_float(half);
#endif
}

__device__ __forceinline__ float float_of_bfloat(uint16_t bfloat) {
#ifdef __CUDACC__
    return __uint_as_float(static_cast<uint32_t>(bfloat) << 16);
#else
    return bfloat_to_float(bfloat);
#endif
}

// A clock of the device, in nanoseconds.
__device__ __forceinline__ int64_t device_time() {
#ifdef __CUDACC__
    int64_t time;
    asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(time));
    return time;
#else
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
#endif
}

__device__ __forceinline__ int lane_index() { return static_cast<int>(threadIdx.x % WARP); }
__device__ __forceinline__ int warp_index() { return static_cast<int>(threadIdx.x / WARP); }

// The sum of all lanes, the same bits in each: additions pair lanes 16 apart, then 8, 4, 2, 1.
__device__ __forceinline__ float warp_sum(float value) {
    for (int mask = WARP / 2; mask > 0; mask /= 2) value += __shfl_xor_sync(ALL_LANES, value, mask);
    return value;
}

__device__ __forceinline__ float warp_max(float value) {
    for (int mask = WARP / 2; mask > 0; mask /= 2) value = fmaxf(value, __shfl_xor_sync(ALL_LANES, value, mask));
    return value;
}

__device__ __forceinline__ float silu(float x) { return x / (1.0f + expf(-x)); }

}  // namespace hydra::cuda
