// What the two kernels of tree attention have in common: the tiles and splits of a vector's keys, the waves of a pass.
#pragma once

#include <algorithm>

#include "cuda/kv.cuh"
#include "cuda/runtime.cuh"

namespace hydra::cuda {

// Blocks that share out the splits of some vectors: so many of a single segment, fewer of each of many.
constexpr int32_t MOST_WORKERS = 64, LEAST_WORKERS = 8;

// Splits are short where the context is, so that many blocks share the work, and grow with it, so that few partial
// results are kept: 8 of 256 positions, 12 of 512, 12 of 1024 and so on to 8192; or all of 256 (`rungs` is 0).
struct Splits {
    static constexpr int32_t SHORTEST = 256, FIRST_RUNG = 8;

    int rungs = 5;

    // Positions before split `split`.
    __host__ __device__ constexpr int32_t begin(int32_t split) const {
        int32_t units = 0;
        for (int rung = 0; rung < rungs; ++rung) {
            if (split <= rung_splits(rung)) return (units + (split << rung)) * SHORTEST;
            units += rung_splits(rung) << rung;
            split -= rung_splits(rung);
        }
        return (units + (split << rungs)) * SHORTEST;
    }
    // Splits that `positions` positions reach into.
    __host__ __device__ constexpr int32_t count(int32_t positions) const {
        int32_t units = (positions + SHORTEST - 1) / SHORTEST, splits = 0;
        for (int rung = 0; rung < rungs; ++rung) {
            const int32_t here = (units + (1 << rung) - 1) >> rung;
            if (here <= rung_splits(rung)) return splits + here;
            units -= rung_splits(rung) << rung;
            splits += rung_splits(rung);
        }
        return splits + ((units + (1 << rungs) - 1) >> rungs);
    }
    // The one that a position lies in.
    __host__ __device__ constexpr int32_t of(int32_t position) const { return count(position + 1) - 1; }

  private:
    static __host__ __device__ constexpr int32_t rung_splits(int rung) { return rung == 0 ? FIRST_RUNG : 12; }
};

// What scores are multiplied by.
__device__ __forceinline__ float scale_of(const Attention& work) {
    return work.scale != 0 ? work.scale : 1.0f / sqrtf(static_cast<float>(work.pool.head_size));
}

// Of `length` keys in their order, the first ones that are before the window.
__device__ __forceinline__ int32_t unseen_of(const Attention& work, int32_t length) {
    return work.window == 0 || length <= work.window ? 0 : length - work.window;
}

// The first position that a row of the segment sees: its first row sees the farthest back.
__device__ __forceinline__ int32_t first_seen_of(const Attention& work, const Segment& segment) {
    return unseen_of(work, segment.first + 1);
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

// Of `parts` parts of the keys, where `blocks` blocks for each worker run on a device that takes `slots` at once.
inline int32_t workers_of(const Attention& work, int32_t parts, int32_t blocks, int32_t slots) {
    return std::min(parts, std::clamp(slots / (blocks * most_segments(work.rows)), LEAST_WORKERS, MOST_WORKERS));
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

// Whether the matrix instruction computes the attention: over these caches.
inline bool is_for_mma(const KvView& kv) {
    return kv.type == HYDRA_F16 &&
           (kv.head_size == 64 || kv.head_size == 96 || kv.head_size == 128 || kv.head_size == 256);
}

// attention_mma.cu
hydra_status mma_attention(Stream* stream, const Attention& work);
// What it keeps in the workspace beside its zeros.
int64_t mma_attention_bytes(int32_t max_rows, int32_t heads, int32_t head_size, int32_t max_positions);

}  // namespace hydra::cuda
