// Where queries, keys and values go between their products and attention, pair by pair.
#pragma once

#include "cuda/kv.cuh"

namespace hydra::cuda {

// The places of appended keys and values, and the angles of RoPE.
struct AppendPlaces {
    RowsView rows;
    const float* rope;
    KvView kv;
    int32_t layer;

    // Turns columns `column` and column + 1 of a head of row r.
    __device__ __forceinline__ float2 turn(int r, int column, float2 pair) const {
        const float* angles = rope + int64_t{rows.positions[r]} * kv.head_size + column;
        const float cosine = angles[0], sine = angles[1];
        return {pair.x * cosine - pair.y * sine, pair.y * cosine + pair.x * sine};
    }

    // The row of a key (which is 0) or a value (1) of row r.
    __device__ __forceinline__ uint8_t* row_of(int r, int32_t kv_head, int which) const {
        return kv_row(kv, rows.pages_of(rows.segment_of_row(r).sequence), layer, kv_head, which, rows.slot_of(r));
    }

    __device__ __forceinline__ void store(uint8_t* row, int column, float2 pair) const {
        if (kv.type == HYDRA_F16) {
            reinterpret_cast<uint32_t*>(row)[column / 2] = uint32_t{kv_half(pair.y)} << 16 | kv_half(pair.x);
        } else {
            reinterpret_cast<float2*>(row)[column / 2] = pair;
        }
    }
};

}  // namespace hydra::cuda
