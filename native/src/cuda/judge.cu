// What the base model's answers say about the rows: the token selected at each of them, and the path of each tree that
// they accept. In a step neither has a launch of its own: the LM head before selects, the commit after it judges.
#include <algorithm>

#include "cuda/judge.cuh"
#include "cuda/runtime.cuh"

namespace hydra::cuda {

namespace {

constexpr int THREADS = 256, WARPS = THREADS / WARP;

__global__ void __launch_bounds__(THREADS) select_kernel(Select work) {
    const int i = static_cast<int>(blockIdx.x) * THREADS + static_cast<int>(threadIdx.x);
    if (i >= min(work.rows.active_selections(), work.top.max_rows)) return;
    work.selection[i] = work.top.ids[i * work.top.k];
}

// A warp takes a tree.
__global__ void __launch_bounds__(THREADS) judge_kernel(Judge work) {
    const int s = static_cast<int>(blockIdx.x) * WARPS + warp_index();
    if (s >= work.rows.active_trees()) return;
    Segment& segment = work.rows.segments[s];
    const uint64_t accepted = accepted_path(work.tree[segment.sequence], work.rows, segment, work.selection);
    if (lane_index() == 0) segment.accepted = accepted;
}

}  // namespace

hydra_status select(Stream* stream, const Select* arguments) {
    const auto blocks = static_cast<unsigned>((arguments->top.max_rows + THREADS - 1) / THREADS);
    return launch(stream, "select_kernel", select_kernel, blocks, THREADS, 0, *arguments);
}

hydra_status judge(Stream* stream, const Judge* arguments) {
    const int32_t trees = std::min(arguments->rows.batch_size, arguments->rows.max_rows);
    return launch(stream, "judge_kernel", judge_kernel, static_cast<unsigned>((trees + WARPS - 1) / WARPS), THREADS, 0,
                  *arguments);
}

}  // namespace hydra::cuda
