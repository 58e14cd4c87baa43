// Keys and values: [page][layer][kv_head][key, value][position][head_size], each a float or an f16.
#pragma once

#include "cuda/device.h"
#include "cuda/platform.cuh"

namespace hydra::cuda {

__host__ __device__ constexpr int kv_value_bytes(hydra_type type) { return type == HYDRA_F16 ? 2 : 4; }

// The row of one position of a page: the key's where which is 0, the value's where it is 1.
__host__ __device__ inline uint8_t* kv_row(const KvView& kv, int32_t page, int32_t layer, int32_t kv_head, int which,
                                           int place) {
    const int64_t part = ((int64_t{page} * kv.layers + layer) * kv.kv_heads + kv_head) * 2 + which;
    return kv.data + (part * HYDRA_PAGE_POSITIONS + place) * kv.head_size * kv_value_bytes(kv.type);
}

// The same by slot of a sequence.
__device__ __forceinline__ uint8_t* kv_row(const KvView& kv, const int32_t* pages, int32_t layer, int32_t kv_head,
                                           int which, int32_t slot) {
    return kv_row(kv, pages[slot / HYDRA_PAGE_POSITIONS], layer, kv_head, which, slot % HYDRA_PAGE_POSITIONS);
}

// What an F16 cache keeps of a value: it is rounded to nearest, the largest number stands for all beyond; NaN stays.
__host__ __device__ inline uint16_t kv_half(float value) {
    constexpr float LARGEST = 65504.0f;
    return half_of_float(value > LARGEST ? LARGEST : value < -LARGEST ? -LARGEST : value);
}

}  // namespace hydra::cuda
