// The tail of tree attention with the matrix instruction: the leaves that hold rows of the pass, behind the whole ones
// of the prefix. Their keys differ from node to node. A block stages the keys of all slots from the tail's begin to the
// pass's end and computes their scores with two groups of vectors, whoever sees them. Then a warp takes a node at a
// time: it gathers the scores of the node's own keys and reads the values' fragments from wherever these are. As a
// leaf's result needs no other's, tails run beside the prefix.
#pragma once

#include "cuda/attention_leaf.cuh"

namespace hydra::cuda {

constexpr int TAIL_GROUPS = 2;  // of a block
constexpr int MOST_TAIL = LEAF - 1 + HYDRA_MAX_NODES;
static_assert(MOST_TAIL < TAIL_LEAVES * LEAF);

// The shared memory of a block. ROWS: more than the tail has slots; BOTH: keys and values lie side by side, so that all
// come at once, where one after the other would take less room.
template <int D, int ROWS, bool BOTH>
struct Tail {
    static_assert(ROWS % SLICE == 0 && ROWS <= 256);
    static constexpr int NO_ROW = ROWS - 1;  // a row of zeros
    static constexpr int SCORES = ROWS + 4;  // of a vector: so that those of a fragment lie in different banks
    static constexpr int LIST = TAIL_LEAVES * LEAF;

    uint4* queries;  // [group][QUERY_FRAGMENTS]
    float* scores;   // [vector][SCORES]
    uint8_t* lists;  // [warp][LIST]: where the node's i-th key is, or NO_ROW
    uint16_t* rows;  // [key, value][ROWS][ROW_STRIDE]

    __device__ __forceinline__ Tail()
        : queries(&shared_memory<uint4>()),
          scores(reinterpret_cast<float*>(queries + TAIL_GROUPS * QUERY_FRAGMENTS<D>)),
          lists(reinterpret_cast<uint8_t*>(scores + TAIL_GROUPS * GROUP * SCORES)),
          rows(reinterpret_cast<uint16_t*>(lists + ATTENTION_WARPS * LIST)) {}

    static constexpr size_t bytes() {
        return TAIL_GROUPS * (QUERY_FRAGMENTS<D> * sizeof(uint4) + GROUP * SCORES * sizeof(float)) +
               ATTENTION_WARPS * LIST + (BOTH ? 2 : 1) * ROWS * ROW_STRIDE<D> * sizeof(uint16_t);
    }

    __device__ __forceinline__ uint16_t* row(int which, int place) const {
        return rows + ((BOTH ? which * ROWS : 0) + place) * ROW_STRIDE<D>;
    }
    __device__ __forceinline__ uint8_t* list() const { return lists + warp_index() * LIST; }

    // Groups from `first_group` on.
    __device__ __forceinline__ void run(const AttentionPass& pass, const AttentionWave& wave, int first_group) const {
        const int32_t begin = pass.leaves * LEAF;
        const int count = pass.first + pass.rows - begin, slices = (count + SLICE - 1) / SLICE;
        const auto load = [&](int which) {
            for_pieces<D>(count, [&](int place, int column) {
                copy_async(row(which, place) + column, pass.cached(which, begin + place) + column);
            });
            end_copies();
        };
        const auto clear = [&](int which, int from, int to) {
            const int columns = (to - from) * D;
            for (int i = static_cast<int>(threadIdx.x); i < columns; i += ATTENTION_THREADS) {
                row(which, from + i / D)[i % D] = 0;
            }
        };
        load(0);
        if (BOTH) load(1);
        clear(0, count, slices * SLICE);
        if (BOTH || slices * SLICE < ROWS) clear(BOTH ? 1 : 0, NO_ROW, ROWS);
        if (warp_index() < TAIL_GROUPS) {
            stage_queries<D>(pass, first_group + warp_index(), queries + warp_index() * QUERY_FRAGMENTS<D>);
        }
        copies_arrived<BOTH ? 1 : 0>();
        meet_in_attention();
        for (int i = warp_index(); i < slices * TAIL_GROUPS; i += ATTENTION_WARPS) find_scores(pass, i);
        meet_in_attention();
        if (!BOTH) load(1);
        copies_arrived<0>();
        meet_in_attention();
        const int first = first_group * GROUP, last = min(first + TAIL_GROUPS * GROUP, pass.vectors) - 1;
        for (int node = first / pass.heads + warp_index(); node <= last / pass.heads; node += ATTENTION_WARPS) {
            const int keys = list_keys(pass, node, pass.first - begin);
            const int from = max(node * pass.heads, first), to = min((node + 1) * pass.heads, last + 1);
            for (int group = from / GROUP; group < groups_of(to); ++group) {
                for (int leaf = 0; leaf < TAIL_LEAVES; ++leaf) {
                    if (leaf * LEAF >= keys) continue;
                    const int32_t unseen = unseen_of(pass.work, begin + keys) - begin;
                    weigh(pass, wave, leaf, keys, unseen, first_group, group, from, to);
                }
            }
        }
    }

  private:
    // Scores of 16 slots with a group's vectors.
    __device__ __forceinline__ void find_scores(const AttentionPass& pass, int i) const {
        const int slice = i / TAIL_GROUPS, group = i % TAIL_GROUPS;
        float found[1][1][4];
        compute_scores<D, 1, 1>(pass.work, row(0, slice * SLICE), queries + group * QUERY_FRAGMENTS<D>, found);
        float* target = scores + (group * GROUP + lane_index() % 4 * 2) * SCORES + slice * SLICE + lane_index() / 4;
#pragma unroll
        for (int j = 0; j < 4; ++j) target[j % 2 * SCORES + j / 2 * 8] = found[0][0][j];
    }

    // Lists a node's keys, of which the first `verified` are the prefix's; their number.
    __device__ __forceinline__ int list_keys(const AttentionPass& pass, int node, int verified) const {
        const uint64_t ancestors = pass.ancestors(node);
        const int keys = verified + __popcll(ancestors);
        __syncwarp();
        for (int i = lane_index(); i < verified; i += WARP) list()[i] = static_cast<uint8_t>(i);
        for (int i = keys + lane_index(); i < LIST; i += WARP) list()[i] = NO_ROW;
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            const int bit = half * WARP + lane_index();
            const uint64_t before = ancestors & ((uint64_t{1} << bit) - 1);
            if ((ancestors >> bit & 1) != 0) list()[verified + __popcll(before)] = static_cast<uint8_t>(verified + bit);
        }
        __syncwarp();
        return keys;
    }

    // Leaf `leaf` of a node with so many keys, of which the first `unseen` are before its window, for those of a
    // group's vectors that are the node's: from ... to - 1.
    __device__ __forceinline__ void weigh(const AttentionPass& pass, const AttentionWave& wave, int leaf, int keys,
                                          int unseen, int first_group, int group, int from, int to) const {
        const int g = lane_index() / 4, t = lane_index() % 4;
        const uint8_t* places = list() + leaf * LEAF;
        // In the order of the weights' fragment: the lane's vector is g, its keys 2t, 2t + 1, 2t + 8, 2t + 9.
        const bool is_own = group * GROUP + g >= from && group * GROUP + g < to;
        const float* own = scores + ((group - first_group) * GROUP + g) * SCORES;
        float found[SLICES][4], best = -INFINITY;
#pragma unroll
        for (int i = 0; i < SLICES * 4; ++i) {
            const int key = i / 4 * SLICE + 2 * t + i % 2 + i % 4 / 2 * 8, number = leaf * LEAF + key;
            const bool is_seen = is_own && number < keys && number >= unseen;
            found[i / 4][i % 4] = is_seen ? own[places[key]] : -INFINITY;
            best = fmaxf(best, found[i / 4][i % 4]);
        }
        best = fmaxf(best, __shfl_xor_sync(ALL_LANES, best, 1));
        best = fmaxf(best, __shfl_xor_sync(ALL_LANES, best, 2));
        const float reference = reference_of(best);
        uint2 weights[1][SLICES];
        const uint16_t* values[SLICES];
#pragma unroll
        for (int slice = 0; slice < SLICES; ++slice) {
            float power[4];
#pragma unroll
            for (int i = 0; i < 4; ++i) power[i] = fast_exp2(found[slice][i] - reference);
            weights[0][slice] = {halves_of(power[0], power[1]), halves_of(power[2], power[3])};
            values[slice] = row(1, places[slice * SLICE + value_key()]) + value_column();
        }
        float totals[4];
        sum_weights(weights[0], totals);
        // As C has them: the lane's vectors are 2t and 2t + 1; null where they are not the node's.
        float* targets[2];
#pragma unroll
        for (int i = 0; i < 2; ++i) {
            const int v = group * GROUP + 2 * t + i;
            targets[i] = v >= from && v < to ? wave.partial(leaf, pass.number(wave, v), D) : nullptr;
            if (targets[i] != nullptr && g == 0) targets[i][D + 1] = totals[i];
        }
        if (is_own && t == 0) wave.partial(leaf, pass.number(wave, group * GROUP + g), D)[D] = best;
#pragma unroll
        for (int step = 0; step < D / 16; ++step) {
            float sums[1][4];
            weigh_values<1>(values, 16 * step, weights, sums);
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                float* target = targets[i % 2];
                if (target != nullptr) target[16 * step + g + i / 2 * 8] = sums[0][i];
            }
        }
    }
};

}  // namespace hydra::cuda
