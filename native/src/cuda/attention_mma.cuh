// What a block of each launch of attention_mma.cu computes, by the block's place in the grid.
#pragma once

#include "cuda/attention_merge.cuh"
#include "cuda/attention_prefix.cuh"
#include "cuda/attention_tail.cuh"
#include "cuda/bulk_copies.cuh"

namespace hydra::cuda {

constexpr int FEW_GROUPS = 2;  // whose vectors are few
// Groups of a warp where the prefix has so few parts that blocks of fewer vectors are needed to fill the device.
constexpr int SHARED_GROUPS = 2, FEW_PARTS = 4;

// Few vectors: fewer rows, so that the tail is shorter and its keys and values come together.
template <int D>
using FewTail = Tail<D, (LEAF - 1 + FEW_GROUPS * GROUP + SLICE) / SLICE * SLICE, true>;
template <int D>
using ManyTail = Tail<D, TAIL_LEAVES * LEAF, false>;

// Asks for the keys and values of a worker's parts, where there are bulk copies. By a warp.
template <int D>
__device__ __forceinline__ void bring_prefix(const AttentionPass& pass, const PrefixParts& parts, int worker,
                                             int workers) {
    constexpr uint32_t BYTES = 2 * HYDRA_PAGE_POSITIONS * D * sizeof(uint16_t);  // a page's values follow its keys
    const int lane = lane_index();
    if (lane >= LEAF / HYDRA_PAGE_POSITIONS) return;
    for (int part = parts.count - 1 - worker; part >= 0; part -= workers) {
        for (int leaf = parts.begin(part); leaf < parts.end(part); ++leaf) {
            bring_to_cache(pass.cached(0, leaf * LEAF + lane * HYDRA_PAGE_POSITIONS), BYTES);
        }
    }
}

// Grid: KV heads, a block for the tail and `workers` for the prefix, segments.
struct FewAttention {
    Attention work;
    AttentionWave wave;
    Leaving left;
    int32_t workers;
    int32_t* counters;  // [segments][KV heads], zero before and after; null where a second launch merges

    template <int D>
    static constexpr size_t BYTES = std::max(FewTail<D>::bytes(), DividedLeaves<D, FEW_GROUPS>::bytes());

    template <int D>
    __device__ __forceinline__ void run(const uint3& place) const {
        const Segment* segment = wave.segment(work.rows, place.z);
        if (segment == nullptr) return;
        const AttentionPass pass(work, *segment, static_cast<int>(place.x));
        const PrefixParts parts(pass, true);
        const int worker = static_cast<int>(place.y) - 1;
        if (worker >= parts.count) return;
        if (worker < 0) {
            FewTail<D>().run(pass, wave, 0);
        } else if (pass.vectors <= GROUP) {
            DividedLeaves<D, 1>().run(pass, wave, parts, worker, workers);
        } else {
            DividedLeaves<D, 2>().run(pass, wave, parts, worker, workers);
        }
        if (counters == nullptr) return;
        int32_t* counter = counters + place.z * static_cast<unsigned>(work.pool.kv_heads) + place.x;
        if (!is_last<ATTENTION_THREADS>(counter, min(workers, parts.count) + 1, shared_memory<bool>())) return;
        for (int i = warp_index(); i < pass.vectors * MERGES<D>; i += ATTENTION_WARPS) {
            Merge<D>{pass, wave, parts}.run(i / MERGES<D>, i % MERGES<D> * MERGED_COLUMNS, left);
        }
    }

    // Asks for what run(place) reads of the prefix.
    template <int D>
    __device__ __forceinline__ void bring(const uint3& place) const {
        const Segment* segment = wave.segment(work.rows, place.z);
        if (segment == nullptr || place.y == 0) return;
        const AttentionPass pass(work, *segment, static_cast<int>(place.x));
        bring_prefix<D>(pass, PrefixParts(pass, true), static_cast<int>(place.y) - 1, workers);
    }
};

// Grid: KV heads, `workers` blocks times `vector_blocks` for the prefix, long parts first, and blocks for tails,
// segments.
struct ManyAttention {
    Attention work;
    AttentionWave wave;
    int32_t workers, vector_blocks;

    template <int D, int WARP_GROUPS>
    static constexpr size_t BYTES = std::max(ManyTail<D>::bytes(), DividedVectors<D, WARP_GROUPS>::bytes());

    template <int D, int WARP_GROUPS>
    __device__ __forceinline__ void run(const uint3& place) const {
        const Segment* segment = wave.segment(work.rows, place.z);
        if (segment == nullptr) return;
        const AttentionPass pass(work, *segment, static_cast<int>(place.x));
        const int block = static_cast<int>(place.y), groups = groups_of(pass.vectors);
        if (block >= workers * vector_blocks) {
            const int begin = (block - workers * vector_blocks) * TAIL_GROUPS;
            if (begin < groups) ManyTail<D>().run(pass, wave, begin);
            return;
        }
        // More groups a warp mean fewer reads of the staged rows; fewer, that more blocks share the work.
        const PrefixParts parts(pass, false);
        const int most = parts.count <= FEW_PARTS ? SHARED_GROUPS : WARP_GROUPS;
        const int worker = block / vector_blocks, begin = block % vector_blocks * ATTENTION_WARPS * most;
        if (worker >= parts.count || begin >= groups) return;
        if (groups - begin <= ATTENTION_WARPS) {
            DividedVectors<D, 1>().run(pass, wave, parts, worker, workers, begin);
        } else if (WARP_GROUPS == 2 || most == 2 || groups - begin <= 2 * ATTENTION_WARPS) {
            DividedVectors<D, 2>().run(pass, wave, parts, worker, workers, begin);
        } else {
            DividedVectors<D, WARP_GROUPS>().run(pass, wave, parts, worker, workers, begin);
        }
    }

    // Asks for what run(place) reads of the prefix, of the blocks that share it the first one.
    template <int D>
    __device__ __forceinline__ void bring(const uint3& place) const {
        const Segment* segment = wave.segment(work.rows, place.z);
        const int block = static_cast<int>(place.y);
        if (segment == nullptr || block >= workers * vector_blocks || block % vector_blocks > 0) return;
        const AttentionPass pass(work, *segment, static_cast<int>(place.x));
        bring_prefix<D>(pass, PrefixParts(pass, false), block / vector_blocks, workers);
    }
};

// Grid: vectors of a KV head, a warp each, KV heads, columns by 128.
struct MergedAttention {
    Attention work;
    AttentionWave wave;
    Leaving left;
    bool few;

    template <int D>
    __device__ __forceinline__ void run(const uint3& place) const {
        const int heads = work.heads / work.pool.kv_heads;
        const int number = static_cast<int>(place.x) * ATTENTION_WARPS + warp_index();
        const int row = wave.begin + number / heads;
        if (!wave.has(work.rows, row)) return;
        const Segment segment = work.rows.segment_of_row(row);
        const AttentionPass pass(work, segment, static_cast<int>(place.y));
        const PrefixParts parts(pass, few);
        const int v = (row - segment.row) * heads + number % heads;
        Merge<D>{pass, wave, parts}.run(v, static_cast<int>(place.z) * MERGED_COLUMNS, left);
    }
};

}  // namespace hydra::cuda
