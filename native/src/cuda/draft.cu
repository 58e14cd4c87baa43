// The draft's side of the tree: planting it, gathering the inputs of a level's head, handing out a level's tokens.
#include "cuda/embedding.cuh"
#include "cuda/rows.cuh"
#include "cuda/runtime.cuh"

namespace hydra::cuda {

namespace {

constexpr int THREADS = 256;

// One block, a thread a node. Where no room is left, no node is planted.
__global__ void __launch_bounds__(HYDRA_MAX_ROWS) plant_kernel(Plant work) {
    const TreeData& tree = *work.tree;
    RowsState& rows = *work.rows.rows;
    const SequenceState& sequence = *work.rows.sequence;
    const int32_t first = sequence.result.length;
    const bool fits = has_pages(work.rows, first, tree.nodes) && has_positions(work.rows, first, tree.levels);
    const int32_t count = fits ? tree.nodes : 0;
    const int i = static_cast<int>(threadIdx.x);
    if (i < count) {
        rows.positions[i] = first + tree.depths[i];
        rows.ancestors[i] = tree.ancestors[i];
    }
    if (i == 0) {
        rows.count = count;
        rows.first = first;
        rows.generation = sequence.generation;
        rows.tokens[0] = sequence.result.root;
    }
}

// Grid: rows of the level, parts of such a row (the hidden state, then a token for each depth).
__global__ void __launch_bounds__(THREADS) draft_inputs_kernel(DraftInputs work) {
    const TreeData& tree = *work.tree;
    const bool grounded = work.embedding.data != nullptr;
    const int inputs = grounded ? tree.level_rows[work.level] : tree.levels > work.level ? 1 : 0;
    const int states = active_rows(work.hidden_rows), count = states > 0 ? inputs : 0;
    const int row = static_cast<int>(blockIdx.x), part = static_cast<int>(blockIdx.y);
    if (row == 0 && part == 0 && threadIdx.x == 0) {
        work.level_rows.rows->count = count;
        work.level_rows.rows->generation = work.level_rows.sequence->generation;
    }
    if (row >= count) return;
    const int64_t stride = grounded ? (work.level + 2) * work.width : work.width;
    float* out = work.out + row * stride + part * work.width;
    if (part == 0) {
        const float* state = work.hidden + (states - 1) * work.width;
        for (int64_t c = threadIdx.x; c < work.width; c += THREADS) out[c] = state[c];
        return;
    }
    int node = tree.level_nodes[work.level][row];
    for (int depth = work.level; depth > part - 1; --depth) node = tree.parents[node];
    read_token(work.embedding, work.nodes.rows->tokens[node], out);
}

__global__ void draft_levels_kernel(DraftLevels work) {
    if (threadIdx.x != 0) return;
    work.rows.rows->count = work.tree->levels;
    work.rows.rows->generation = work.rows.sequence->generation;
}

// One block, a thread a node.
__global__ void __launch_bounds__(HYDRA_MAX_ROWS) draft_tokens_kernel(DraftTokens work) {
    const TreeData& tree = *work.tree;
    const int i = static_cast<int>(threadIdx.x);
    if (i == 0 || i >= tree.nodes || tree.depths[i] != work.level + 1) return;
    const int from = work.row >= 0 ? work.row : tree.row_of[tree.parents[i]];
    work.nodes.rows->tokens[i] = work.top.ids[from * work.top.k + tree.ranks[i]];
}

}  // namespace

hydra_status plant(Stream* stream, const Plant* arguments) {
    return launch(stream, "plant_kernel", plant_kernel, 1, HYDRA_MAX_ROWS, 0, *arguments);
}

hydra_status draft_inputs(Stream* stream, const DraftInputs* arguments) {
    const int parts = arguments->embedding.data != nullptr ? arguments->level + 2 : 1;
    return launch(stream, "draft_inputs_kernel", draft_inputs_kernel,
                  dim3(HYDRA_MAX_ROWS, static_cast<unsigned>(parts)), THREADS, 0, *arguments);
}

hydra_status draft_levels(Stream* stream, const DraftLevels* arguments) {
    return launch(stream, "draft_levels_kernel", draft_levels_kernel, 1, WARP, 0, *arguments);
}

hydra_status draft_tokens(Stream* stream, const DraftTokens* arguments) {
    return launch(stream, "draft_tokens_kernel", draft_tokens_kernel, 1, HYDRA_MAX_ROWS, 0, *arguments);
}

}  // namespace hydra::cuda
