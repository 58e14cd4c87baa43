// The rows of heads that are evaluated together, one group for each level.
#include "cuda/levels.cuh"
#include "cuda/runtime.cuh"

namespace hydra::cuda {

namespace {

__global__ void draft_levels_kernel(DraftLevels work) {
    begin_in_turn();
    const Level at{{work.tree, work.nodes, 0}};
    const auto guesses = [&](int s) { return at.guesses(s); };
    const int deepest = at.deepest(), trees = work.nodes.active_trees(), all = rows_before(trees, guesses);
    if (threadIdx.x == 0) work.rows.set_count(deepest * all);
    for (int base = 0, before = 0; base < trees; base += WARP) {
        const int s = base + lane_index(), own = s < trees ? guesses(s) : 0, end = before + inclusive_sum(own);
        before = __shfl_sync(ALL_LANES, end, WARP - 1);
        for (int level = 0; own > 0 && level < deepest; ++level) {
            work.rows.set_level_row(level * all + end - 1, work.nodes.segments[s].sequence,
                                    at.drafted_position(s, level));
        }
    }
}

}  // namespace

hydra_status draft_levels(Stream* stream, const DraftLevels* arguments) {
    return launch(stream, "draft_levels_kernel", draft_levels_kernel, 1, WARP, 0, *arguments);
}

}  // namespace hydra::cuda
