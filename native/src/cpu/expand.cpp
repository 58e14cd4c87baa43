// The beginning of a pass: its rows become the nodes of the trees, and the chains of prompts.
#include "cpu/pass.h"
#include "cpu/program.h"
#include "program/growth.h"

namespace hydra {

namespace {

struct ExpandTask : Task {
    hydra_tree* trees;
    const hydra_rows* prompts;  // or null
    hydra_rows* rows;

    bool changes_rows() const override { return true; }
    bool by_one_thread() const override { return true; }

    void run(const Worker&) override {
        for (int s = 0; s < rows->view.batch_size; ++s) {
            const Growth& growth = trees->growth[s];
            if (growth.nodes > 0) begin_growth(trees->data[s], growth, trees->grown()[s]);
        }
        place_rows(*trees, prompts, *rows);
    }
};

}  // namespace

std::unique_ptr<Task> task_of(const Expand& operation, CpuProgram&) {
    auto task = std::make_unique<ExpandTask>();
    task->trees = operation.tree;
    task->prompts = operation.prompts;
    task->rows = operation.rows;
    return task;
}

}  // namespace hydra
