// The draft's side of the tree: expanding it, gathering the inputs of a level's head, handing out a level's tokens.
#include <algorithm>

#include "cuda/embedding.cuh"
#include "cuda/rows.cuh"
#include "cuda/runtime.cuh"

namespace hydra::cuda {

namespace {

constexpr int THREADS = 256;

struct Warps {
    float sums[THREADS / WARP];
};

struct Rooms {
    int32_t counts[HYDRA_MAX_SEQUENCES / WARP];  // sequences of a warp that have room
};

// One block, a thread a sequence, then a thread a row.
__global__ void __launch_bounds__(HYDRA_MAX_SEQUENCES) expand_kernel(Expand work) {
    const TreeData& tree = *work.tree;
    const RowsView& rows = work.rows;
    Rooms& rooms = shared_memory<Rooms>();
    const int sequence = static_cast<int>(threadIdx.x), nodes = tree.nodes;
    const bool fits = sequence < rows.batch_size && rows.has_room(sequence, nodes, tree.levels);
    const unsigned fitting = __ballot_sync(ALL_LANES, fits);
    if (lane_index() == 0) rooms.counts[warp_index()] = __popc(fitting);
    __syncthreads();
    int order = __popc(fitting & ((1u << lane_index()) - 1)), expanded = 0;
    for (int w = 0; w < HYDRA_MAX_SEQUENCES / WARP; ++w) {
        if (w < warp_index()) order += rooms.counts[w];
        expanded += rooms.counts[w];
    }
    if (fits) {
        const hydra_step_result& result = rows.batch[sequence].result;
        rows.segments[order] = {sequence, order, order * nodes, nodes, result.length};
        rows.last_rows[order] = (order + 1) * nodes - 1;
        rows.tokens[order * nodes] = result.root;
    }
    if (threadIdx.x == 0) {
        rows.set_count(expanded * nodes);
        rows.state->segments = rows.state->sequences = expanded;
    }
    __syncthreads();
    for (int row = static_cast<int>(threadIdx.x); row < expanded * nodes; row += HYDRA_MAX_SEQUENCES) {
        const int segment = row / nodes, i = row % nodes;
        rows.set_row(segment, i, rows.segments[segment].first + tree.depths[i], tree.ancestors[i]);
    }
}

// One block a sequence that has rows.
__global__ void __launch_bounds__(THREADS) draft_states_kernel(DraftStates work) {
    const int order = static_cast<int>(blockIdx.x);
    if (order >= work.rows.active_sequences()) return;
    const int32_t row = work.rows.last_rows[order];
    const float* x = work.x + row * work.width;
    float* state = work.states + work.rows.segment_of_row(row).sequence * work.width;
    if (work.norm == nullptr) {
        for (int64_t c = threadIdx.x; c < work.width; c += THREADS) state[c] = x[c];
        return;
    }
    const float scale = rms_scale(x, work.width, work.epsilon, shared_memory<Warps>().sums);
    for (int64_t c = threadIdx.x; c < work.width; c += THREADS) state[c] = x[c] * scale * work.norm[c];
}

// The token of a node; none where the tree has been set again since its nodes were expanded and has more of them.
__device__ int32_t token_of(const RowsView& nodes, const Segment& segment, int node) {
    return node < segment.count ? nodes.tokens[segment.row + node] : -1;
}

// The ancestor at `depth` of the i-th node of a level that has children.
__device__ int ancestor_of(const TreeData& tree, int level, int i, int depth) {
    int node = tree.level_nodes[level][i];
    for (; level > depth; --level) node = tree.parents[node];
    return node;
}

// Grid: rows of the level, parts of such a row (the hidden state, then a token for each depth).
__global__ void __launch_bounds__(THREADS) draft_inputs_kernel(DraftInputs work) {
    const TreeData& tree = *work.tree;
    const bool grounded = work.embedding.data != nullptr;
    const int each = grounded ? tree.level_rows[work.level] : tree.levels > work.level ? 1 : 0;
    const int count = work.nodes.active_trees() * each;
    const int row = static_cast<int>(blockIdx.x), part = static_cast<int>(blockIdx.y);
    if (row == 0 && part == 0 && threadIdx.x == 0) work.level_rows.set_count(count);
    if (row >= count) return;
    const Segment segment = work.nodes.segments[row / each];
    const int64_t stride = grounded ? (work.level + 2) * work.width : work.width;
    float* out = work.out + row * stride + part * work.width;
    if (part == 0) {
        const float* state = work.states + segment.sequence * work.width;
        for (int64_t c = threadIdx.x; c < work.width; c += THREADS) out[c] = state[c];
        return;
    }
    const int node = ancestor_of(tree, work.level, row % each, part - 1);
    read_token(work.embedding, token_of(work.nodes, segment, node), out);
}

// Grid: rows of the level, runs of THREADS columns.
__global__ void __launch_bounds__(THREADS) table_block_kernel(TableBlock work) {
    const TreeData& tree = *work.tree;
    const int each = tree.level_rows[work.level], count = work.nodes.active_trees() * each;
    const int row = static_cast<int>(blockIdx.x);
    if (row == 0 && blockIdx.y == 0 && threadIdx.x == 0) work.level_rows.set_count(count);
    const int64_t column = int64_t{blockIdx.y} * THREADS + threadIdx.x;
    if (row >= count || column >= work.n) return;
    const int order = row / each;
    const Segment segment = work.nodes.segments[order];
    const float* part = work.parts + order * work.width + work.first + column;
    float linear = part[0], skip = part[work.n];
    for (int depth = 0; depth <= work.level; ++depth) {
        const int32_t token = token_of(work.nodes, segment, ancestor_of(tree, work.level, row % each, depth));
        if (token < 0 || token >= work.vocabulary) continue;
        const uint16_t* entry =
            reinterpret_cast<const uint16_t*>(work.tables) + (depth * work.vocabulary + token) * 2 * work.n + column;
        linear += float_of_half(entry[0]);
        skip += float_of_half(entry[work.n]);
    }
    work.out[row * work.n + column] = skip + silu(linear);
}

__global__ void draft_levels_kernel(DraftLevels work) {
    if (threadIdx.x == 0) work.rows.set_count(work.tree->levels * work.nodes.active_trees());
}

// One block a segment, a thread a node.
__global__ void __launch_bounds__(HYDRA_MAX_NODES) draft_tokens_kernel(DraftTokens work) {
    const TreeData& tree = *work.tree;
    const int segments = work.nodes.active_trees(), s = static_cast<int>(blockIdx.x);
    if (s >= segments) return;
    const Segment segment = work.nodes.segments[s];
    const int i = static_cast<int>(threadIdx.x);
    // The tree may have been set again since its nodes were expanded.
    if (i == 0 || i >= min(tree.nodes, segment.count) || tree.depths[i] != work.level + 1) return;
    const int from =
        work.group >= 0 ? work.group * segments + s : s * tree.level_rows[work.level] + tree.row_of[tree.parents[i]];
    work.nodes.tokens[segment.row + i] = work.top.ids[from * work.top.k + tree.ranks[i]];
}

// Sequences that can have rows.
unsigned most_sequences(const RowsView& rows) {
    return static_cast<unsigned>(std::min(rows.batch_size, rows.max_rows));
}

}  // namespace

hydra_status expand(Stream* stream, const Expand* arguments) {
    return launch(stream, "expand_kernel", expand_kernel, 1, HYDRA_MAX_SEQUENCES, sizeof(Rooms), *arguments);
}

hydra_status draft_states(Stream* stream, const DraftStates* arguments) {
    return launch(stream, "draft_states_kernel", draft_states_kernel, most_sequences(arguments->rows), THREADS,
                  sizeof(Warps), *arguments);
}

hydra_status draft_inputs(Stream* stream, const DraftInputs* arguments) {
    const bool grounded = arguments->embedding.data != nullptr;
    const int32_t rows =
        std::min(arguments->level_rows.max_rows, arguments->nodes.batch_size * (grounded ? HYDRA_MAX_NODES : 1));
    return launch(stream, "draft_inputs_kernel", draft_inputs_kernel,
                  dim3(static_cast<unsigned>(rows), static_cast<unsigned>(grounded ? arguments->level + 2 : 1)),
                  THREADS, 0, *arguments);
}

hydra_status table_block(Stream* stream, const TableBlock* arguments) {
    const int32_t rows = std::min(arguments->level_rows.max_rows, arguments->nodes.batch_size * HYDRA_MAX_NODES);
    const auto runs = static_cast<unsigned>((arguments->n + THREADS - 1) / THREADS);
    return launch(stream, "table_block_kernel", table_block_kernel, dim3(static_cast<unsigned>(rows), runs), THREADS, 0,
                  *arguments);
}

hydra_status draft_levels(Stream* stream, const DraftLevels* arguments) {
    return launch(stream, "draft_levels_kernel", draft_levels_kernel, 1, WARP, 0, *arguments);
}

hydra_status draft_tokens(Stream* stream, const DraftTokens* arguments) {
    return launch(stream, "draft_tokens_kernel", draft_tokens_kernel, most_sequences(arguments->nodes), HYDRA_MAX_NODES,
                  0, *arguments);
}

}  // namespace hydra::cuda
