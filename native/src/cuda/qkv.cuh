// What products of queries, keys and values leave.
#pragma once

#include "cuda/append_kv.cuh"
#include "cuda/tasks.cuh"

namespace hydra::cuda {

constexpr int QUERY = 0, KEY = 1, VALUE = 2;

// What a product leaves: one of three matrices with its bias.
struct Projection {
    const float* bias;  // or null
    int64_t columns;    // of out
    float* out;

    __device__ __forceinline__ float biased(int64_t n, float value) const {
        return bias != nullptr ? value + bias[n] : value;
    }
};

struct StoreQkv {
    Projection projections[3];
    bool appends;         // or leaves all three as they are
    AppendPlaces places;  // of heads that are appended: columns are whole heads then, and a pair never stands alone

    __device__ void operator()(int part, int r, int64_t n, const float (&values)[1][2]) const {
        const Projection& to = projections[part];
        if (!appends) {
            for (int i = 0; i < 2 && n + i < to.columns; ++i) {
                to.out[r * to.columns + n + i] = to.biased(n + i, values[0][i]);
            }
            return;
        }
        if (n >= to.columns) return;
        float2 pair{to.biased(n, values[0][0]), to.biased(n + 1, values[0][1])};
        const int column = static_cast<int>(n % places.kv.head_size);
        if (part != VALUE) pair = places.turn(r, column, pair);
        if (part == QUERY) {
            *reinterpret_cast<float2*>(to.out + r * to.columns + n) = pair;
        } else {
            places.store(places.row_of(r, static_cast<int32_t>(n / places.kv.head_size), part == KEY ? 0 : 1), column,
                         pair);
        }
    }
};

template <>
inline constexpr TaskKind TASK_KIND<StoreQkv> = TaskKind::QKV;

}  // namespace hydra::cuda
