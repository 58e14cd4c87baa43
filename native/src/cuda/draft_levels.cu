// The rows of heads that are evaluated together, one group for each level.
#include "cuda/levels.cuh"
#include "cuda/runtime.cuh"

namespace hydra::cuda {

namespace {

__global__ void draft_levels_kernel(DraftLevels work) {
    const Level at{{work.tree, work.nodes, 0}};
    const int rows = at.deepest() * rows_before(work.nodes.active_trees(), [&](int s) { return at.guesses(s); });
    if (threadIdx.x == 0) work.rows.set_count(rows);
}

}  // namespace

hydra_status draft_levels(Stream* stream, const DraftLevels* arguments) {
    return launch(stream, "draft_levels_kernel", draft_levels_kernel, 1, WARP, 0, *arguments);
}

}  // namespace hydra::cuda
