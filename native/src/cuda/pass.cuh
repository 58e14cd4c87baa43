// The rows of a pass: the nodes of trees, then the chains of prompts.
#pragma once

#include "cuda/device.h"
#include "cuda/levels.cuh"

namespace hydra::cuda {

constexpr int EXPAND_WARPS = HYDRA_MAX_SEQUENCES / WARP;

struct Expansion {
    bool has_prompt[HYDRA_MAX_SEQUENCES];
    int32_t nodes[EXPAND_WARPS], trees[EXPAND_WARPS];  // that the sequences of a warp would have
    int32_t ends[HYDRA_MAX_SEQUENCES];                 // of each tree's rows
};

// Adds the chains of prompts after `trees` trees of `nodes` rows.
__device__ inline void add_prompts(const RowsView& rows, const RowsView& prompts, int trees, int nodes) {
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

// Makes the rows the nodes of all trees, with the tokens of those that grow, and the chains of prompts after them. One
// block of HYDRA_MAX_SEQUENCES threads: a thread a sequence, then a warp a tree.
__device__ inline void place_rows(const TreesView& all, const RowsView& prompts, const RowsView& rows,
                                  Expansion& shared) {
    const auto sequence = static_cast<int>(threadIdx.x);
    // Prompts that do not fit, which only operations before this one can have made, are dropped.
    const bool fit = prompts.state != nullptr && prompts.active() <= rows.capacity;
    const int chains = fit ? prompts.active_segments() : 0;
    shared.has_prompt[sequence] = false;
    __syncthreads();
    for (int c = sequence; c < chains; c += HYDRA_MAX_SEQUENCES) {
        if (prompts.ends_sequence(c)) shared.has_prompt[prompts.segments[c].sequence] = true;
    }
    __syncthreads();
    const bool present = sequence < rows.batch_size && !shared.has_prompt[sequence];
    const int nodes = present ? rows.nodes_with_room(sequence, all.data[sequence]) : 0;
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
    const bool expands = nodes > 0 && end <= rows.capacity - (chains > 0 ? prompts.active() : 0);
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
        const TreeData& tree = all.data[segment.sequence];
        for (int i = lane_index(); i < segment.count; i += WARP) {
            rows.set_row(s, i, segment.first + tree.depths[i], tree.ancestors[i]);
            if (i > 0 && tree.grows >= 0) rows.tokens[segment.row + i] = all.grown[segment.sequence].tokens[i];
        }
    }
    const int tree_rows = trees > 0 ? shared.ends[trees - 1] : 0;
    if (chains > 0) add_prompts(rows, prompts, trees, tree_rows);
    if (sequence == 0) {
        rows.set_count(tree_rows + (chains > 0 ? prompts.state->count : 0));
        rows.state->trees = trees;
        rows.state->segments = trees + chains;
        rows.state->sequences = trees + (chains > 0 ? prompts.state->sequences : 0);
    }
}

}  // namespace hydra::cuda
