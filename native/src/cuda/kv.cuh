// Keys and values: float [page][layer][kv_head][key, value][position][head_size].
#pragma once

#include "cuda/device.h"
#include "cuda/platform.cuh"

namespace hydra::cuda {

// The row of one position of a page: the key's where which is 0, the value's where it is 1.
__host__ __device__ inline float* kv_row(const KvView& kv, int32_t page, int32_t layer, int32_t kv_head, int which,
                                         int place) {
    const int64_t part = ((int64_t{page} * kv.layers + layer) * kv.kv_heads + kv_head) * 2 + which;
    return reinterpret_cast<float*>(kv.data) + (part * HYDRA_PAGE_POSITIONS + place) * kv.head_size;
}

// The same by slot of a sequence.
__device__ __forceinline__ float* kv_row(const KvView& kv, const int32_t* pages, int32_t layer, int32_t kv_head,
                                         int which, int32_t slot) {
    return kv_row(kv, pages[slot / HYDRA_PAGE_POSITIONS], layer, kv_head, which, slot % HYDRA_PAGE_POSITIONS);
}

}  // namespace hydra::cuda
