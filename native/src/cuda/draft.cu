// The draft's side of the trees: expanding them, gathering the inputs of a level's head, handing out a level's tokens.
#include <algorithm>

#include "cuda/embedding.cuh"
#include "cuda/levels.cuh"
#include "cuda/rows.cuh"
#include "cuda/runtime.cuh"

namespace hydra::cuda {

namespace {

constexpr int THREADS = 256;

struct Warps {
    float sums[THREADS / WARP];
};

constexpr int EXPAND_WARPS = HYDRA_MAX_SEQUENCES / WARP;

struct Expansion {
    bool has_prompt[HYDRA_MAX_SEQUENCES];
    int32_t nodes[EXPAND_WARPS], trees[EXPAND_WARPS];  // that the sequences of a warp would have
    int32_t ends[HYDRA_MAX_SEQUENCES];                 // of each tree's rows
};

// Adds the chains of prompts after `trees` trees of `nodes` rows.
__device__ void add_prompts(const RowsView& rows, const RowsView& prompts, int trees, int nodes) {
    const auto first = static_cast<int>(threadIdx.x);
    for (int c = first; c < prompts.state->segments; c += HYDRA_MAX_SEQUENCES) {
        Segment chain = prompts.segments[c];
        chain.order += trees;
        chain.row += nodes;
        rows.segments[trees + c] = chain;
    }
    for (int i = first; i < prompts.state->sequences; i += HYDRA_MAX_SEQUENCES) {
        rows.last_rows[trees + i] = prompts.last_rows[i] + nodes;
    }
    for (int row = first; row < prompts.state->count; row += HYDRA_MAX_SEQUENCES) {
        rows.tokens[nodes + row] = prompts.tokens[row];
        rows.positions[nodes + row] = prompts.positions[row];
        rows.segment_of[nodes + row] = prompts.segment_of[row] + trees;
        rows.ancestors[nodes + row] = prompts.ancestors[row];
    }
}

// One block, a thread a sequence, then a warp a tree.
__global__ void __launch_bounds__(HYDRA_MAX_SEQUENCES) expand_kernel(Expand work) {
    const RowsView& rows = work.rows;
    Expansion& shared = shared_memory<Expansion>();
    const auto sequence = static_cast<int>(threadIdx.x);
    // Prompts that do not fit, which only operations before this one can have made, are dropped.
    const bool fit = work.prompts.state != nullptr && work.prompts.active() <= rows.max_rows;
    const int chains = fit ? work.prompts.active_segments() : 0;
    shared.has_prompt[sequence] = false;
    __syncthreads();
    for (int c = sequence; c < chains; c += HYDRA_MAX_SEQUENCES) {
        if (work.prompts.ends_sequence(c)) shared.has_prompt[work.prompts.segments[c].sequence] = true;
    }
    __syncthreads();
    const bool present = sequence < rows.batch_size && !shared.has_prompt[sequence];
    const int nodes = present ? rows.nodes_with_room(sequence, work.tree[sequence]) : 0;
    const int end_here = inclusive_sum(nodes);
    const unsigned fitting = __ballot_sync(ALL_LANES, nodes > 0);
    if (lane_index() == WARP - 1) {
        shared.nodes[warp_index()] = end_here;
        shared.trees[warp_index()] = __popc(fitting);
    }
    __syncthreads();
    int order = __popc(fitting & ((1u << lane_index()) - 1)), end = end_here;
    for (int w = 0; w < warp_index(); ++w) {
        order += shared.trees[w];
        end += shared.nodes[w];
    }
    // Not all have rows only where operations before this one have given more sequences a root than there were.
    const bool expands = nodes > 0 && end <= rows.max_rows - (chains > 0 ? work.prompts.active() : 0);
    if (expands) {
        const hydra_step_result& result = rows.batch[sequence].result;
        const int row = end - nodes;
        rows.segments[order] = {sequence, order, row, nodes, result.length, 1, 1};
        rows.last_rows[order] = end - 1;
        rows.tokens[row] = result.root;
        shared.ends[order] = end;
    }
    // Those that expand are the first ones.
    const int expanding = __popc(__ballot_sync(ALL_LANES, expands));
    __syncthreads();
    if (lane_index() == 0) shared.trees[warp_index()] = expanding;
    __syncthreads();
    int trees = 0;
    for (int w = 0; w < EXPAND_WARPS; ++w) trees += shared.trees[w];
    for (int s = warp_index(); s < trees; s += EXPAND_WARPS) {
        const Segment& segment = rows.segments[s];
        const TreeData& tree = work.tree[segment.sequence];
        for (int i = lane_index(); i < segment.count; i += WARP) {
            rows.set_row(s, i, segment.first + tree.depths[i], tree.ancestors[i]);
        }
    }
    const int tree_rows = trees > 0 ? shared.ends[trees - 1] : 0;
    if (chains > 0) add_prompts(rows, work.prompts, trees, tree_rows);
    if (sequence == 0) {
        rows.set_count(tree_rows + (chains > 0 ? work.prompts.state->count : 0));
        rows.state->trees = trees;
        rows.state->segments = trees + chains;
        rows.state->sequences = trees + (chains > 0 ? work.prompts.state->sequences : 0);
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

// The ancestor at `depth` of the i-th node of a level that has children.
__device__ int ancestor_of(const TreeData& tree, int level, int i, int depth) {
    int node = tree.level_node(level, i);
    for (; level > depth; --level) node = tree.parents[node];
    return node;
}

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
        const float* state = work.states + segment.sequence * work.width;
        for (int64_t c = threadIdx.x; c < work.width; c += THREADS) out[c] = state[c];
        return;
    }
    const int node = ancestor_of(at.tree(found.segment), work.level, found.index, part - 1);
    read_token(work.embedding, work.nodes.token_of(segment, node), out);
}

// Grid: rows of the level, runs of THREADS columns.
__global__ void __launch_bounds__(THREADS) table_block_kernel(TableBlock work) {
    const Level at{{work.tree, work.nodes, work.level}};
    const int row = static_cast<int>(blockIdx.x);
    const LevelRow found = find_row(work.nodes.active_trees(), row, [&](int s) { return at.parents(s); });
    if (row == 0 && blockIdx.y == 0 && threadIdx.x == 0) work.level_rows.set_count(found.rows);
    if (found.segment < 0) return;
    const int guess = rows_before(found.segment, [&](int s) { return at.guesses(s); });
    const int64_t column = int64_t{blockIdx.y} * THREADS + threadIdx.x;
    if (column >= work.n) return;
    const Segment segment = work.nodes.segments[found.segment];
    const TreeData& tree = at.tree(found.segment);
    const float* part = work.parts + guess * work.width + work.first + column;
    float linear = part[0], skip = part[work.n];
    for (int depth = 0; depth <= work.level; ++depth) {
        const int32_t token = work.nodes.token_of(segment, ancestor_of(tree, work.level, found.index, depth));
        if (token < 0 || token >= work.vocabulary) continue;
        const uint16_t* entry = work.tables + (depth * work.vocabulary + token) * 2 * work.n + column;
        linear += float_of_half(entry[0]);
        skip += float_of_half(entry[work.n]);
    }
    work.out[row * work.n + column] = skip + silu(linear);
}

__global__ void draft_levels_kernel(DraftLevels work) {
    const Level at{{work.tree, work.nodes, 0}};
    const int rows = at.deepest() * rows_before(work.nodes.active_trees(), [&](int s) { return at.guesses(s); });
    if (threadIdx.x == 0) work.rows.set_count(rows);
}

// One block a segment, a thread a node.
__global__ void __launch_bounds__(HYDRA_MAX_NODES) draft_tokens_kernel(DraftTokens work) {
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

// One block a segment, a thread a node.
__global__ void __launch_bounds__(HYDRA_MAX_NODES) give_tokens_kernel(GiveTokens work) {
    const int s = static_cast<int>(blockIdx.x), i = static_cast<int>(threadIdx.x);
    if (s >= work.nodes.active_trees()) return;
    const Segment segment = work.nodes.segments[s];
    if (i == 0 || i >= segment.count) return;
    work.nodes.tokens[segment.row + i] = work.tokens[int64_t{segment.sequence} * HYDRA_MAX_NODES + i];
}

// Sequences that can have rows.
unsigned most_sequences(const RowsView& rows) {
    return static_cast<unsigned>(std::min(rows.batch_size, rows.max_rows));
}

}  // namespace

hydra_status expand(Stream* stream, const Expand* arguments) {
    return launch(stream, "expand_kernel", expand_kernel, 1, HYDRA_MAX_SEQUENCES, sizeof(Expansion), *arguments);
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

hydra_status give_tokens(Stream* stream, const GiveTokens* arguments) {
    return launch(stream, "give_tokens_kernel", give_tokens_kernel, most_sequences(arguments->nodes), HYDRA_MAX_NODES,
                  0, *arguments);
}

}  // namespace hydra::cuda
