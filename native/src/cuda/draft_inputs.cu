// Inputs of a level's draft head: states, and the embeddings of the tokens drafted so far.
#include <algorithm>

#include "cuda/embedding.cuh"
#include "cuda/levels.cuh"
#include "cuda/runtime.cuh"

namespace hydra::cuda {

namespace {

constexpr int THREADS = 256;

// Grid: rows of the level, parts of such a row (the hidden state, then a token for each depth).
__global__ void __launch_bounds__(THREADS) draft_inputs_kernel(DraftInputs work) {
    const Level at{{work.tree, work.nodes, work.level}};
    const bool grounded = work.embedding.data != nullptr;
    const int trees = grounded || at.any_deeper() ? work.nodes.active_trees() : 0;
    const int row = static_cast<int>(blockIdx.x), part = static_cast<int>(blockIdx.y);
    const LevelRow found = find_row(trees, row, [&](int s) { return grounded ? at.parents(s) : at.guesses(s); });
    if (row == 0 && part == 0 && threadIdx.x == 0) work.level_rows.set_count(found.rows);
    if (found.segment < 0) return;
    const Segment segment = work.nodes.segments[found.segment];
    const int64_t stride = grounded ? (work.level + 2) * work.width : work.width;
    float* out = work.out + row * stride + part * work.width;
    if (part == 0) {
        if (threadIdx.x == 0) {
            const int32_t position = at.drafted_position(found.segment, work.level);
            work.level_rows.set_level_row(row, segment.sequence, position);
        }
        const float* state = work.states + segment.sequence * work.width;
        for (int64_t c = threadIdx.x; c < work.width; c += THREADS) out[c] = state[c];
        return;
    }
    const int node = ancestor_of(at.tree(found.segment), work.level, found.index, part - 1);
    read_token(work.embedding, work.nodes.token_of(segment, node), out);
}

}  // namespace

hydra_status draft_inputs(Stream* stream, const DraftInputs* arguments) {
    const bool grounded = arguments->embedding.data != nullptr;
    const int32_t rows =
        std::min(arguments->level_rows.max_rows, arguments->nodes.batch_size * (grounded ? HYDRA_MAX_NODES : 1));
    return launch(stream, "draft_inputs_kernel", draft_inputs_kernel,
                  dim3(static_cast<unsigned>(rows), static_cast<unsigned>(grounded ? arguments->level + 2 : 1)),
                  THREADS, 0, *arguments);
}

}  // namespace hydra::cuda
