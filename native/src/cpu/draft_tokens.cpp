// Hands a level's best candidates to the nodes of the trees.
#include "cpu/levels.h"
#include "cpu/program.h"
#include "program/sequence.h"

namespace hydra {

namespace {

struct DraftTokensTask : Task {
    const TreeData* trees;
    int level;
    const hydra_top* top;
    int group;
    hydra_rows* nodes;

    bool by_one_thread() const override { return true; }

    void run(const Worker&) override {
        const RowsView& view = nodes->view;
        const Level at{{trees, view, level}};
        const bool of_parents = group < 0;
        int from = of_parents ? 0 : group * at.all_guesses();  // row of top
        for (int s = 0; s < view.active_trees(); ++s) {
            const TreeData& tree = at.tree(s);
            int32_t* tokens = view.tokens + view.segments[s].row;
            const int count = tree.nodes_of(view.segments[s].count);
            for (int i = 1; i < count; ++i) {
                if (tree.depths[i] != level + 1) continue;
                const int row = from + (of_parents ? tree.row_of[tree.parents[i]] : 0);
                tokens[i] = top->ids[row * top->k + tree.ranks[i]];
            }
            from += of_parents ? at.parents(s) : at.guesses(s);
        }
    }
};

}  // namespace

std::unique_ptr<Task> task_of(const DraftTokens& operation, CpuProgram&) {
    auto task = std::make_unique<DraftTokensTask>();
    task->trees = operation.tree->data;
    task->level = operation.level;
    task->top = operation.top;
    task->group = operation.group;
    task->nodes = operation.nodes;
    return task;
}

}  // namespace hydra
