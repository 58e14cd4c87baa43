// The rows of heads that are evaluated together, one group for each level.
#include "cpu/levels.h"
#include "cpu/program.h"
#include "program/sequence.h"

namespace hydra {

namespace {

struct DraftLevelsTask : Task {
    const TreeData* trees;
    const hydra_rows* nodes;
    hydra_rows* rows;

    bool changes_rows() const override { return true; }
    bool by_one_thread() const override { return true; }

    void run(const Worker&) override {
        const Level at{{trees, nodes->view, 0}};
        const int deepest = at.deepest();
        rows->view.set_count(deepest * at.all_guesses());
        for (int level = 0, row = 0; level < deepest; ++level) {
            for (int s = 0; s < nodes->view.active_trees(); ++s) {
                if (at.guesses(s) == 0) continue;
                rows->view.set_level_row(row++, nodes->view.segments[s].sequence, at.drafted_position(s, level));
            }
        }
    }
};

}  // namespace

std::unique_ptr<Task> task_of(const DraftLevels& operation, CpuProgram&) {
    auto task = std::make_unique<DraftLevelsTask>();
    task->trees = operation.tree->data;
    task->nodes = operation.nodes;
    task->rows = operation.rows;
    return task;
}

}  // namespace hydra
