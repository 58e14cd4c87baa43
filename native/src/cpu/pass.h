// The rows of a pass: the nodes of trees, then the chains of prompts.
#pragma once

#include "program/sequence.h"

namespace hydra {

// The tree of a sequence and, where it grows, its nodes' tokens, for each sequence that may have one.
inline void place_rows(const hydra_tree& trees, const hydra_rows* prompts, const hydra_rows& rows) {
    const RowsView& view = rows.view;
    view.set_count(0);
    // Prompts that do not fit, which only operations before this one can have made, are dropped.
    const bool fit = prompts != nullptr && prompts->active() <= view.max_rows;
    const int chains = fit ? prompts->view.active_segments() : 0;
    const int nodes_at_most = view.max_rows - (chains > 0 ? prompts->active() : 0);
    bool has_prompt[HYDRA_MAX_SEQUENCES] = {};
    for (int c = 0; c < chains; ++c) has_prompt[prompts->view.segments[c].sequence] = true;
    for (int s = 0; s < view.batch_size; ++s) {
        const TreeData& tree = trees.data[s];
        const int nodes = has_prompt[s] ? 0 : view.nodes_with_room(s, tree);
        if (nodes == 0) continue;
        // Only where operations before this one have given more sequences a root than there were when the run began.
        if (view.state->count + nodes > nodes_at_most) break;
        const hydra_step_result& result = view.batch[s].result;
        const int segment = view.state->segments;
        view.add_tree(s, result.length, nodes);
        for (int i = 0; i < nodes; ++i) {
            view.set_row(segment, i, result.length + tree.depths[i], tree.ancestors[i]);
        }
        int32_t* tokens = view.tokens + view.segments[segment].row;
        tokens[0] = result.root;
        if (tree.grows >= 0) std::copy_n(trees.grown()[s].tokens + 1, nodes - 1, tokens + 1);
    }
    if (chains == 0) return;
    const RowsView& from = prompts->view;
    const int segments = view.state->segments, first_row = view.state->count;
    for (int begin = 0, c = 0; c < chains; ++c) {
        if (!from.ends_sequence(c)) continue;
        const Segment &first = from.segments[begin], &last = from.segments[c];
        view.add(first.sequence, first.first, last.row + last.count - first.row, last.sets_root != 0);
        begin = c + 1;
    }
    for (int s = segments; s < view.state->segments; ++s) {
        for (int i = 0; i < view.segments[s].count; ++i) view.set_chain_row(s, i);
    }
    std::copy_n(from.tokens, from.state->count, view.tokens + first_row);
}

}  // namespace hydra
