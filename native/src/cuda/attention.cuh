// What the two kernels of tree attention have in common: the tiles and splits of a vector's keys.
#pragma once

#include "cuda/kv.cuh"
#include "cuda/runtime.cuh"

namespace hydra::cuda {

constexpr int KEY_TILE = 32;
constexpr int TAIL_TILES = 3, TAIL_ROWS = TAIL_TILES * KEY_TILE;  // behind the last whole tile of the prefix
constexpr int64_t MOST_WORKERS = 64;                              // blocks that share out the splits of some vectors

static_assert(KEY_TILE == HYDRA_PAGE_POSITIONS, "a tile of the prefix lies in one page");
static_assert(TAIL_ROWS >= KEY_TILE - 1 + HYDRA_MAX_ROWS);

// Splits are short where the context is, so that many blocks share the work, and four times as long after every
// fourfold of it, so that few partial results are kept: 16 of a unit, 12 of 4, 12 of 16, 12 of 64, then of 256 units.
// Many KV heads fill the device with fewer splits each, so their unit is larger.
struct Splits {
    int unit_shift;  // a unit is 1 << unit_shift positions

    // Positions before split `split`.
    __host__ __device__ constexpr int32_t begin(int32_t split) const {
        int32_t units = 0;
        for (int rung = 0; rung < RUNGS; ++rung) {
            if (split <= rung_splits(rung)) return (units + (split << 2 * rung)) << unit_shift;
            units += rung_splits(rung) << 2 * rung;
            split -= rung_splits(rung);
        }
        return (units + (split << 2 * RUNGS)) << unit_shift;
    }
    // Splits that `positions` positions reach into.
    __host__ __device__ constexpr int32_t count(int32_t positions) const {
        int32_t units = (positions + (1 << unit_shift) - 1) >> unit_shift, splits = 0;
        for (int rung = 0; rung < RUNGS; ++rung) {
            const int32_t here = (units + (1 << 2 * rung) - 1) >> 2 * rung;
            if (here <= rung_splits(rung)) return splits + here;
            units -= rung_splits(rung) << 2 * rung;
            splits += rung_splits(rung);
        }
        return splits + ((units + (1 << 2 * RUNGS) - 1) >> 2 * RUNGS);
    }

  private:
    static constexpr int RUNGS = 4;
    static __host__ __device__ constexpr int32_t rung_splits(int rung) { return rung == 0 ? 16 : 12; }
};

constexpr Splits SHORTEST_SPLITS{7};
__host__ __device__ constexpr Splits splits_of(const KvView& kv) {
    return kv.kv_heads < 16 ? SHORTEST_SPLITS : Splits{SHORTEST_SPLITS.unit_shift + 1};
}

// The n-th (from 0) of the mask's bits that are set.
__device__ __forceinline__ int nth_bit(uint64_t mask, int n) {
    if ((mask & (mask + 1)) == 0) return n;  // a chain
    for (; n > 0; --n) mask &= mask - 1;
    return __ffsll(static_cast<long long>(mask)) - 1;
}

// Whether the matrix instruction computes the attention over this cache.
__host__ __device__ constexpr bool is_for_mma(const KvView& kv) {
    return kv.type == HYDRA_F16 && (kv.head_size == 64 || kv.head_size == 96 || kv.head_size == 128);
}

// attention_mma.cu
hydra_status mma_attention(Stream* stream, const Attention& work);

}  // namespace hydra::cuda
