// The k best of what a warp is offered, best first, equal values in order of arrival: entry i lives in lane i.
#pragma once

#include <math.h>

#include "cuda/platform.cuh"

namespace hydra::cuda {

struct WarpTop {
    float value = -INFINITY;  // of entry lane_index(), where that is below k
    int32_t index = 0;

    // Every lane offers a value, or none; equal values of lower lanes come first. All lanes of the warp take part.
    __device__ __forceinline__ void offer(int k, float offered, int32_t offered_index, bool offers) {
        for (;;) {
            const float last = __shfl_sync(ALL_LANES, value, k - 1);
            const unsigned better = __ballot_sync(ALL_LANES, offers && offered > last);
            if (better == 0) return;
            const int from = __ffs(static_cast<int>(better)) - 1;
            insert(k, __shfl_sync(ALL_LANES, offered, from), __shfl_sync(ALL_LANES, offered_index, from));
            if (lane_index() == from) offers = false;
        }
    }

  private:
    __device__ __forceinline__ void insert(int k, float added, int32_t added_index) {
        const int lane = lane_index();
        const int place = __popc(__ballot_sync(ALL_LANES, lane < k && value >= added));
        const float above = __shfl_up_sync(ALL_LANES, value, 1);
        const int32_t above_index = __shfl_up_sync(ALL_LANES, index, 1);
        if (lane == place) {
            value = added;
            index = added_index;
        } else if (lane > place) {
            value = above;
            index = above_index;
        }
    }
};

}  // namespace hydra::cuda
