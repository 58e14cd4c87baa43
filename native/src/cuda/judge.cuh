// The path of a tree that the base model's answers accept.
#pragma once

#include "cuda/device.h"
#include "cuda/platform.cuh"

namespace hydra::cuda {

// The set of nodes on the longest path on which each node's token is the one selected at its parent, the first in node
// order among equals. A warp takes a tree, a lane two of its nodes.
__device__ __forceinline__ uint64_t accepted_path(const TreeData& tree, const RowsView& rows, const Segment& segment,
                                                  const int32_t* selection) {
    const int lane = lane_index(), nodes = tree.nodes_of(segment.count);
    unsigned right[2];
    for (int half = 0; half < 2; ++half) {
        const int i = half * WARP + lane;
        const bool is_right =
            i == 0 || (i < nodes && rows.tokens[segment.row + i] == selection[segment.row + tree.parents[i]]);
        right[half] = __ballot_sync(ALL_LANES, is_right);
    }
    const uint64_t wrong = ~(uint64_t{right[1]} << 32 | right[0]);
    int found = 0;  // depth and node, so that the deepest one is the largest, and the first of equals
    for (int i = lane; i < nodes; i += WARP) {
        if ((tree.ancestors[i] & wrong) == 0) {
            found = max(found, tree.depths[i] * HYDRA_MAX_NODES + HYDRA_MAX_NODES - 1 - i);
        }
    }
    return tree.ancestors[HYDRA_MAX_NODES - 1 - warp_max(found) % HYDRA_MAX_NODES];
}

}  // namespace hydra::cuda
