// Inputs of a level's draft head: states, and the embeddings of the tokens drafted so far.
#include <algorithm>

#include "cuda/activations.cuh"
#include "cuda/embedding.cuh"
#include "cuda/levels.cuh"
#include "cuda/runtime.cuh"

namespace hydra::cuda {

namespace {

constexpr int THREADS = 256;

// Grid: rows of the level, parts of such a row (the hidden state, then a token for each depth), runs of 4 THREADS
// columns.
__global__ void __launch_bounds__(THREADS) draft_inputs_kernel(DraftInputs work, Leaving left) {
    begin_in_turn();
    const Level at{{work.tree, work.nodes, work.level}};
    const bool grounded = work.embedding.data != nullptr;
    const int trees = grounded || at.any_deeper() ? work.nodes.active_trees() : 0;
    const int row = static_cast<int>(blockIdx.x), part = static_cast<int>(blockIdx.y);
    const LevelRow found = find_row(trees, row, [&](int s) { return grounded ? at.parents(s) : at.guesses(s); });
    const bool is_first = part == 0 && blockIdx.z == 0 && threadIdx.x == 0;
    if (row == 0 && is_first) work.level_rows.set_count(found.rows);
    if (found.segment < 0) return;
    const Segment segment = work.nodes.segments[found.segment];
    if (is_first) {
        const int32_t position = at.drafted_position(found.segment, work.level);
        work.level_rows.set_level_row(row, segment.sequence, position);
    }
    int32_t token = -1;
    if (part > 0) {
        const int node = ancestor_of(at.tree(found.segment), work.level, found.index, part - 1);
        token = work.nodes.token_of(segment, node);
    }
    const float* state = work.states + segment.sequence * work.width;
    const int64_t first = part * work.width, stride = grounded ? (work.level + 2) * work.width : work.width;
    const int64_t item = int64_t{blockIdx.z} * THREADS + threadIdx.x;
    float values[4] = {};
#pragma unroll
    for (int i = 0; i < 4; ++i) {
        const int64_t c = column_of(item, i);
        if (c >= work.width) continue;
        values[i] = part == 0 ? state[c] : embedded(work.embedding, token, c);
        work.out[row * stride + first + c] = values[i];
    }
    if (left.is_wanted()) leave_slots(left, row, first + column_of(item), item < items_of(work.width), values);
}

}  // namespace

hydra_status draft_inputs(Stream* stream, const DraftInputs* arguments) {
    const bool grounded = arguments->embedding.data != nullptr;
    const int32_t parts = grounded ? arguments->level + 2 : 1;
    const int32_t rows =
        std::min(arguments->level_rows.max_rows, arguments->nodes.batch_size * (grounded ? HYDRA_MAX_NODES : 1));
    const auto runs = static_cast<unsigned>((items_of(arguments->width) + THREADS - 1) / THREADS);
    return launch(stream, "draft_inputs_kernel", draft_inputs_kernel,
                  dim3(static_cast<unsigned>(rows), static_cast<unsigned>(parts), runs), THREADS, 0, *arguments,
                  leave(arguments->left, arguments->level_rows, parts * arguments->width, 0));
}

}  // namespace hydra::cuda
