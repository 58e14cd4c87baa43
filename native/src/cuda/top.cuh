// The k best of what a warp is offered, best first, equal values in order of arrival: entry i lives in lane i.
//
// Version 1 inserted one value after the other, each waiting for the one before: 3 ballots and 5 shuffles in a chain,
// of 32 values that all are better 32 times. Version 2 counts where each of them comes to stand, all beside each other:
// a ballot and 4 shuffles a value that wait for nothing, and 2 in the end.
#pragma once

#include <math.h>

#include "cuda/platform.cuh"

namespace hydra::cuda {

struct WarpTop {
    float value = -INFINITY;  // of entry lane_index(), where that is below k
    int32_t index = 0;

    // Every lane offers a value, or none; equal values of lower lanes come first. All lanes of the warp take part.
    __device__ __forceinline__ void offer(int k, float offered, int32_t offered_index, bool offers) {
        const float last = __shfl_sync(ALL_LANES, value, k - 1);
        const bool enters = offers && offered > last;
        const unsigned all = __ballot_sync(ALL_LANES, enters);
        if (all == 0) return;
        const int lane = lane_index();
        // Where the lane's value comes to stand: after the entries that are as large, and what else enters before it.
        int place = 0;
        for (unsigned rest = all; rest != 0; rest &= rest - 1) {
            const int from = __ffs(static_cast<int>(rest)) - 1;
            const float other = __shfl_sync(ALL_LANES, offered, from);
            const int entries = __popc(__ballot_sync(ALL_LANES, lane < k && value >= other));
            if (lane == from) {
                place += entries;
            } else if (other > offered || (other == offered && from < lane)) {
                ++place;
            }
        }
        // What stands in the lane then: one of them, or the entry that as many lanes before it as entered move here.
        int entered = 0;
        bool is_new = false;
        float new_value = 0;
        int32_t new_index = 0;
        for (unsigned rest = all; rest != 0; rest &= rest - 1) {
            const int from = __ffs(static_cast<int>(rest)) - 1;
            const int other_place = __shfl_sync(ALL_LANES, place, from);
            const float other = __shfl_sync(ALL_LANES, offered, from);
            const int32_t other_index = __shfl_sync(ALL_LANES, offered_index, from);
            if (other_place < lane) ++entered;
            if (other_place != lane) continue;
            is_new = true;
            new_value = other;
            new_index = other_index;
        }
        const float moved = __shfl_sync(ALL_LANES, value, lane - entered);
        const int32_t moved_index = __shfl_sync(ALL_LANES, index, lane - entered);
        value = is_new ? new_value : moved;
        index = is_new ? new_index : moved_index;
    }
};

}  // namespace hydra::cuda
