// What the trees of a pass draft at each level: its rows lie one tree's after the other's, and no two trees need the
// same shape. All lanes of a warp take part and get the same answer.
#pragma once

#include "cuda/platform.cuh"
#include "program/state.h"

namespace hydra::cuda {

__device__ __forceinline__ int inclusive_sum(int value) {
    for (int by = 1; by < WARP; by *= 2) {
        const int other = __shfl_up_sync(ALL_LANES, value, by);
        if (lane_index() >= by) value += other;
    }
    return value;
}

struct LevelRow {
    int segment, index;  // whose row it is, and which of its rows; segment -1: there are not so many
    int rows;            // of all segments
};

// Finds a row of a level where segment s has rows_of(s) of them.
template <class RowsOf>
__device__ __forceinline__ LevelRow find_row(int segments, int row, RowsOf&& rows_of) {
    LevelRow found{-1, 0, 0};
    for (int base = 0; base < segments; base += WARP) {
        const int s = base + lane_index(), own = s < segments ? rows_of(s) : 0;
        const int end = found.rows + inclusive_sum(own);
        const unsigned holds = __ballot_sync(ALL_LANES, row >= end - own && row < end);
        const int begin_here = __shfl_sync(ALL_LANES, end - own, holds != 0 ? __ffs(static_cast<int>(holds)) - 1 : 0);
        if (holds != 0) {
            found.segment = base + __ffs(static_cast<int>(holds)) - 1;
            found.index = row - begin_here;
        }
        found.rows = __shfl_sync(ALL_LANES, end, WARP - 1);
    }
    return found;
}

// The rows of the segments before one, or of all where there are no more.
template <class RowsOf>
__device__ __forceinline__ int rows_before(int segment, RowsOf&& rows_of) {
    int rows = 0;
    for (int base = 0; base < segment; base += WARP) {
        const int s = base + lane_index();
        rows += __shfl_sync(ALL_LANES, inclusive_sum(s < segment ? rows_of(s) : 0), WARP - 1);
    }
    return rows;
}

struct Level : DraftLevel {
    __device__ __forceinline__ bool any_deeper() const {
        bool deeper = false;
        for (int base = 0; base < nodes.active_trees(); base += WARP) {
            const int s = base + lane_index();
            deeper = deeper || __ballot_sync(ALL_LANES, s < nodes.active_trees() && levels(s) > level) != 0;
        }
        return deeper;
    }
    __device__ __forceinline__ int deepest() const {
        int deepest = 0;
        for (int base = 0; base < nodes.active_trees(); base += WARP) {
            const int s = base + lane_index();
            deepest = max(deepest, warp_max(s < nodes.active_trees() ? levels(s) : 0));
        }
        return deepest;
    }
};

// The ancestor at `depth` of the i-th node of a level that has children.
__device__ __forceinline__ int ancestor_of(const TreeData& tree, int level, int i, int depth) {
    int node = tree.level_node(level, i);
    for (; level > depth; --level) node = tree.parents[node];
    return node;
}

}  // namespace hydra::cuda
