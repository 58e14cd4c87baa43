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
        rows->view.set_count(at.deepest() * at.all_guesses());
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
