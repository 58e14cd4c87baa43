// The beginning of a pass: its rows become the nodes of the trees, and the chains of prompts.
#include <algorithm>

#include "cpu/program.h"
#include "program/sequence.h"

namespace hydra {

namespace {

struct ExpandTask : Task {
    const TreeData* trees;
    const hydra_rows* prompts;  // or null
    hydra_rows* rows;

    bool changes_rows() const override { return true; }
    bool by_one_thread() const override { return true; }

    void run(const Worker&) override {
        const RowsView& view = rows->view;
        view.set_count(0);
        // Prompts that do not fit, which only operations before this one can have made, are dropped.
        const bool fit = prompts != nullptr && prompts->active() <= view.max_rows;
        const int chains = fit ? prompts->view.active_segments() : 0;
        const int nodes_at_most = view.max_rows - (chains > 0 ? prompts->active() : 0);
        bool has_prompt[HYDRA_MAX_SEQUENCES] = {};
        for (int c = 0; c < chains; ++c) has_prompt[prompts->view.segments[c].sequence] = true;
        for (int s = 0; s < view.batch_size; ++s) {
            const TreeData& tree = trees[s];
            const int nodes = has_prompt[s] ? 0 : view.nodes_with_room(s, tree);
            if (nodes == 0) continue;
            // Only where operations before this one have given more sequences a root since check().
            if (view.state->count + nodes > nodes_at_most) break;
            const hydra_step_result& result = view.batch[s].result;
            const int segment = view.state->segments;
            view.add_tree(s, result.length, nodes);
            for (int i = 0; i < nodes; ++i) {
                view.set_row(segment, i, result.length + tree.depths[i], tree.ancestors[i]);
            }
            view.tokens[view.segments[segment].row] = result.root;
        }
        if (chains > 0) add_prompts(view, prompts->view);
    }

    static void add_prompts(const RowsView& view, const RowsView& chains) {
        const int segments = view.state->segments, rows = view.state->count;
        for (int begin = 0, c = 0; c < chains.state->segments; ++c) {
            if (!chains.ends_sequence(c)) continue;
            const Segment &first = chains.segments[begin], &last = chains.segments[c];
            view.add(first.sequence, first.first, last.row + last.count - first.row, last.sets_root != 0);
            begin = c + 1;
        }
        for (int s = segments; s < view.state->segments; ++s) {
            for (int i = 0; i < view.segments[s].count; ++i) view.set_chain_row(s, i);
        }
        std::copy_n(chains.tokens, chains.state->count, view.tokens + rows);
    }
};

}  // namespace

std::unique_ptr<Task> task_of(const Expand& operation, CpuProgram&) {
    auto task = std::make_unique<ExpandTask>();
    task->trees = operation.tree->data;
    task->prompts = operation.prompts;
    task->rows = operation.rows;
    return task;
}

}  // namespace hydra
