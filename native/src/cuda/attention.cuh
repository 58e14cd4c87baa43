// What the two kernels of tree attention have in common: the tiles and splits of a vector's keys, the waves of a pass.
#pragma once

#include <algorithm>

#include "cuda/kv.cuh"
#include "cuda/runtime.cuh"

namespace hydra::cuda {

constexpr int KEY_TILE = 32;
constexpr int TAIL_TILES = 3, TAIL_ROWS = TAIL_TILES * KEY_TILE;  // after the last whole tile of the prefix
// Blocks that share out the splits of some vectors: so many of a single segment, fewer of each of many.
constexpr int32_t MOST_WORKERS = 64, LEAST_WORKERS = 8;

static_assert(KEY_TILE == HYDRA_PAGE_POSITIONS, "a tile of the prefix lies in one page");
static_assert(TAIL_ROWS >= KEY_TILE - 1 + HYDRA_MAX_NODES);

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

// What scores are multiplied by.
__device__ __forceinline__ float scale_of(const Attention& work) {
    return work.scale != 0 ? work.scale : 1.0f / sqrtf(static_cast<float>(work.pool.head_size));
}

// Of `length` keys in their order, the first ones that are before the window.
__device__ __forceinline__ int32_t unseen_of(const Attention& work, int32_t length) {
    return work.window == 0 || length <= work.window ? 0 : length - work.window;
}

// The first tile that a row of the segment sees of its keys: its first row sees the farthest back.
__device__ __forceinline__ int32_t first_tile_of(const Attention& work, const Segment& segment) {
    return unseen_of(work, segment.first + 1) / KEY_TILE * KEY_TILE;
}

// The n-th (from 0) of the mask's bits that are set.
__device__ __forceinline__ int nth_bit(uint64_t mask, int n) {
    if ((mask & (mask + 1)) == 0) return n;  // a chain
    for (; n > 0; --n) mask &= mask - 1;
    return __ffsll(static_cast<long long>(mask)) - 1;
}

// Partial results are kept for the segments of one wave: those that begin in so many rows of the pass. So they reach
// into at most WAVE_REACH rows.
constexpr int32_t ATTENTION_WAVE = 256, WAVE_REACH = ATTENTION_WAVE + HYDRA_MAX_NODES - 1;

struct AttentionWave {
    int32_t begin;    // the first of its rows
    int32_t rows;     // that there is room for
    int32_t vectors;  // the same times query heads; which one is the v-th is up to the kernel
    float* base;      // of the workspace

    AttentionWave(const Attention& work, int32_t begin_row)
        : begin(begin_row),
          rows(std::min(work.rows.max_rows, WAVE_REACH)),
          vectors(rows * work.heads),
          base(static_cast<float*>(work.workspace) + WORKSPACE_ZEROS / 4) {}

    // What a part of its keys leaves of a vector: float [head_size], values by weight, not yet divided, then the
    // largest score and the sum of weights.
    __device__ __forceinline__ float* partial(int32_t part, int32_t v, int head_size) const {
        return base + (int64_t{part} * vectors + v) * (head_size + 2);
    }

    // The wave's i-th segment, or null where it has less.
    __device__ __forceinline__ const Segment* segment(const RowsView& rows, unsigned i) const {
        const int32_t count = rows.placed();
        if (begin >= count) return nullptr;
        const unsigned index = first_from(rows, begin) + i;
        const bool is_there = index < first_from(rows, min(begin + ATTENTION_WAVE, count));
        return is_there ? rows.segments + index : nullptr;
    }
    // Whether a row belongs to one of its segments.
    __device__ __forceinline__ bool has(const RowsView& rows, int32_t row) const {
        if (row >= rows.placed()) return false;
        const int32_t first = rows.segment_of_row(row).row;
        return first >= begin && first < begin + ATTENTION_WAVE;
    }

  private:
    // The first segment that begins at this row or after it.
    static __device__ __forceinline__ unsigned first_from(const RowsView& rows, int32_t row) {
        return row == 0 ? 0 : static_cast<unsigned>(rows.segment_of[row - 1]) + 1;
    }
};

// The most segments of a wave: all but the last of a sequence have HYDRA_MAX_NODES rows.
inline int32_t most_segments(const RowsView& rows) {
    const int32_t sequences = std::min(rows.batch_size, rows.max_rows);
    if (rows.max_rows <= ATTENTION_WAVE) return sequences + (rows.max_rows - sequences) / HYDRA_MAX_NODES;
    return std::min(ATTENTION_WAVE, sequences + ATTENTION_WAVE / HYDRA_MAX_NODES);
}

// Positions of a sequence at most: bounds the number of splits.
inline int32_t most_positions(const Attention& work) { return work.rows.max_pages * HYDRA_PAGE_POSITIONS; }

inline int32_t workers_of(const Attention& work) {
    const int32_t most = std::max(MOST_WORKERS / most_segments(work.rows), LEAST_WORKERS);
    return std::min(most, splits_of(work.pool).count(most_positions(work)));
}

// The most vectors of a KV head in a segment.
inline int32_t most_vectors(const Attention& work) {
    return std::min(work.rows.max_rows, HYDRA_MAX_NODES) * (work.heads / work.pool.kv_heads);
}

// Calls run(wave) for each wave of the pass until one fails.
template <class Run>
hydra_status each_wave(const Attention& work, Run&& run) {
    hydra_status status = HYDRA_OK;
    for (int32_t begin = 0; begin < work.rows.max_rows && status == HYDRA_OK; begin += ATTENTION_WAVE) {
        status = run(AttentionWave(work, begin));
    }
    return status;
}

// Whether the matrix instruction computes the attention: over these caches, without windows and caps of scores.
inline bool is_for_mma(const Attention& work) {
    const KvView& kv = work.pool;
    return work.window == 0 && work.cap == 0 && kv.type == HYDRA_F16 &&
           (kv.head_size == 64 || kv.head_size == 96 || kv.head_size == 128);
}

// attention_mma.cu
hydra_status mma_attention(Stream* stream, const Attention& work);

}  // namespace hydra::cuda
