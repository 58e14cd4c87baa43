// What kernels tell the host (Notes of device.h).
#pragma once

#include "cuda/device.h"
#include "cuda/platform.cuh"

namespace hydra::cuda {

// Tells the time, by one thread of the grid; null: nobody asks.
__device__ __forceinline__ void tell_time(int64_t* time) {
    if (time != nullptr && blockIdx.x == 0 && blockIdx.y == 0 && threadIdx.x == 0) *time = device_time();
}

// The same when all threads of the first block, which ends about when the others do, have done their work.
__device__ __forceinline__ void tell_end(const Notes& notes) {
    if (notes.end == nullptr || blockIdx.x != 0) return;
    __syncthreads();
    tell_time(notes.end);
}

}  // namespace hydra::cuda
