// The path of each tree that the base model agrees with.
#include "cpu/program.h"
#include "program/buffer.h"
#include "program/sequence.h"

namespace hydra {

namespace {

struct JudgeTask : Task {
    const TreeData* trees;
    hydra_rows* rows;
    const int32_t* selection;

    bool changes_rows() const override { return true; }
    bool by_one_thread() const override { return true; }

    void run(const Worker&) override {
        const RowsView& view = rows->view;
        for (int s = 0; s < view.active_trees(); ++s) mark(view, view.segments[s]);
    }

    void mark(const RowsView& view, Segment& segment) const {
        const TreeData& tree = trees[segment.sequence];
        const int32_t* tokens = view.tokens + segment.row;
        const int count = tree.nodes_of(segment.count);
        int deepest = 0;
        bool accepted[HYDRA_MAX_NODES] = {true};
        for (int i = 1; i < count; ++i) {
            const int parent = tree.parents[i];
            accepted[i] = accepted[parent] && tokens[i] == selection[segment.row + parent];
            if (accepted[i] && tree.depths[i] > tree.depths[deepest]) deepest = i;
        }
        segment.accepted = tree.ancestors[deepest];
    }
};

}  // namespace

std::unique_ptr<Task> task_of(const Judge& operation, CpuProgram&) {
    auto task = std::make_unique<JudgeTask>();
    task->trees = operation.tree->data;
    task->rows = operation.rows;
    task->selection = operation.selection->ints();
    return task;
}

}  // namespace hydra
