// Folding of what the parts of its keys have left of a vector.
#pragma once

#include "cuda/activations.cuh"
#include "cuda/attention_leaf.cuh"

namespace hydra::cuda {

// By a warp: folds what a vector has kept of its keys, in 128 of its columns or as many as there are. Lanes have an
// item of them each (activations.cuh).
constexpr int MERGED_COLUMNS = 128;

template <int D>
struct Merge {
    static constexpr int BATCH = 8;  // parts whose loads are under way together

    struct Part {
        float best = -INFINITY, total = 0, out[4] = {};

        __device__ __forceinline__ void add(const Part& other) {
            const Fold fold(best, other.best);
            best = fold.best;
            total = fold(total, other.total);
#pragma unroll
            for (int i = 0; i < 4; ++i) out[i] = fold(out[i], other.out[i]);
        }
    };

    const AttentionPass& pass;
    const AttentionWave& wave;
    const PrefixParts& parts;

    __device__ __forceinline__ void run(int v, int begin_column, const Leaving& left) const {
        const int column = begin_column + static_cast<int>(column_of(lane_index())), row = v / pass.heads;
        const bool real = column < D;
        const int32_t number = pass.number(wave, v);
        const int count = parts.count + (pass.length(row) - pass.leaves * LEAF + LEAF - 1) / LEAF;
        Part all, split;
        int32_t open = -1;
        for (int begin = 0; begin < count; begin += BATCH) {
            Part batch[BATCH];
#pragma unroll
            for (int i = 0; i < BATCH; ++i) {
                const int part = begin + i < parts.count ? TAIL_LEAVES + begin + i : begin + i - parts.count;
                if (begin + i < count) load(wave.partial(part, number, D), column, real, batch[i]);
            }
#pragma unroll
            for (int i = 0; i < BATCH; ++i) {
                const int part = begin + i;
                if (part >= count) break;
                const int32_t leaf = part < parts.count ? parts.begin(part) : pass.leaves + part - parts.count;
                const int32_t own = parts.split_of(leaf);
                if (own != open) {
                    all.add(split);
                    split = Part();
                    open = own;
                }
                split.add(batch[i]);
            }
        }
        all.add(split);
#pragma unroll
        for (float& value : all.out) value /= all.total;
        float* out = pass.work.out + pass.place(v) + column;
        if (real) {
            *reinterpret_cast<float2*>(out) = {all.out[0], all.out[1]};
            *reinterpret_cast<float2*>(out + UNIT_COLUMNS / 2) = {all.out[2], all.out[3]};
        }
        if (left.is_wanted()) {
            const int head = pass.kv_head * pass.heads + v % pass.heads;
            leave_slots(left, pass.begin + row, int64_t{head} * D + column, real, all.out);
        }
    }

  private:
    static __device__ __forceinline__ void load(const float* kept, int column, bool real, Part& part) {
        part.best = __ldcg(kept + D);
        part.total = __ldcg(kept + D + 1);
        if (!real) return;
        const float2 lower = __ldcg(reinterpret_cast<const float2*>(kept + column));
        const float2 upper = __ldcg(reinterpret_cast<const float2*>(kept + column + UNIT_COLUMNS / 2));
        part.out[0] = lower.x, part.out[1] = lower.y, part.out[2] = upper.x, part.out[3] = upper.y;
    }
};

template <int D>
constexpr int MERGES = (D + MERGED_COLUMNS - 1) / MERGED_COLUMNS;  // of a vector

}  // namespace hydra::cuda
