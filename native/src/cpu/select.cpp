// The token selected at each row that asks for one: the best of its candidates.
#include <algorithm>

#include "cpu/program.h"
#include "program/buffer.h"
#include "program/sequence.h"

namespace hydra {

namespace {

struct SelectTask : Task {
    const hydra_rows* rows;
    const hydra_top* top;
    int32_t* selection;

    bool by_one_thread() const override { return true; }

    void run(const Worker&) override {
        const int count = std::min(rows->view.active_selections(), top->max_rows);
        for (int i = 0; i < count; ++i) selection[i] = top->ids[i * top->k];
    }
};

}  // namespace

std::unique_ptr<Task> task_of(const Select& operation, CpuProgram&) {
    auto task = std::make_unique<SelectTask>();
    task->rows = operation.rows;
    task->top = operation.top;
    task->selection = operation.selection->ints();
    return task;
}

}  // namespace hydra
