// The path of each tree that the base model agrees with. In a step it has no launch of its own, as the commit after it
// judges.
#include "cuda/judge.cuh"
#include "cuda/runtime.cuh"

namespace hydra::cuda {

namespace {

constexpr int THREADS = 256, WARPS = THREADS / WARP;

// A warp takes a tree.
__global__ void __launch_bounds__(THREADS) judge_kernel(Judge work) {
    begin_in_turn();
    const int s = static_cast<int>(blockIdx.x) * WARPS + warp_index();
    if (s >= work.rows.active_trees()) return;
    Segment& segment = work.rows.segments[s];
    const uint64_t accepted = accepted_path(work.tree[segment.sequence], work.rows, segment, work.selection);
    if (lane_index() == 0) segment.accepted = accepted;
}

}  // namespace

hydra_status judge(Stream* stream, const Judge* arguments) {
    const int32_t trees = arguments->rows.most_sequences();
    return launch(stream, "judge_kernel", judge_kernel, static_cast<unsigned>((trees + WARPS - 1) / WARPS), THREADS, 0,
                  *arguments);
}

}  // namespace hydra::cuda
