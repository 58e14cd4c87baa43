// The hidden state that the draft of each sequence starts from.
#include <cstring>

#include "cpu/product.h"

namespace hydra {

namespace {

struct DraftStatesTask : Task {
    const hydra_rows* rows;
    RowSource source;
    float* states;

    bool idle() const override { return rows->view.active_sequences() == 0; }

    void run(const Worker& worker) override {
        const int count = rows->view.active_sequences();
        for (int64_t i = worker.begin(count); i < worker.end(count); ++i) {
            const int32_t row = rows->view.last_rows[i];
            const float* x = source.x + row * source.columns;
            float* state = states + rows->view.segment_of_row(row).sequence * source.columns;
            if (source.norm != nullptr) {
                worker.kernels().rms_norm(x, source.norm, source.columns, source.epsilon, state);
            } else {
                std::memcpy(state, x, sizeof(float) * source.columns);
            }
        }
    }
};

}  // namespace

std::unique_ptr<Task> task_of(const DraftStates& operation, CpuProgram&) {
    auto task = std::make_unique<DraftStatesTask>();
    task->rows = operation.rows;
    task->source = {operation.x->floats(), operation.width, floats_of(operation.norm), operation.epsilon};
    task->states = operation.states->floats();
    return task;
}

}  // namespace hydra
