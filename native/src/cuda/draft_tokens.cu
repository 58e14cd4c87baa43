// Hands a level's best candidates to the nodes of the trees.
#include "cuda/levels.cuh"
#include "cuda/runtime.cuh"

namespace hydra::cuda {

namespace {

// One block a segment, a thread a node.
__global__ void __launch_bounds__(HYDRA_MAX_NODES) draft_tokens_kernel(DraftTokens work) {
    begin_in_turn();
    const Level at{{work.tree, work.nodes, work.level}};
    const int trees = work.nodes.active_trees(), s = static_cast<int>(blockIdx.x);
    if (s >= trees) return;
    const bool of_parents = work.group < 0;
    const auto rows_of = [&](int other) { return of_parents ? at.parents(other) : at.guesses(other); };
    const int before = rows_before(s, rows_of), all = of_parents ? 0 : rows_before(trees, rows_of);
    const Segment segment = work.nodes.segments[s];
    const TreeData& tree = at.tree(s);
    const int i = static_cast<int>(threadIdx.x);
    if (i == 0 || i >= tree.nodes_of(segment.count) || tree.depths[i] != work.level + 1) return;
    const int from = before + (of_parents ? tree.row_of[tree.parents[i]] : work.group * all);
    work.nodes.tokens[segment.row + i] = work.top.ids[from * work.top.k + tree.ranks[i]];
}

}  // namespace

hydra_status draft_tokens(Stream* stream, const DraftTokens* arguments) {
    return launch(stream, "draft_tokens_kernel", draft_tokens_kernel,
                  static_cast<unsigned>(arguments->nodes.most_sequences()), HYDRA_MAX_NODES, 0, *arguments);
}

}  // namespace hydra::cuda
